"""Parts: everything that a request with one method runs through, and what is declared on it."""

from types import FunctionType, MethodType
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.web.marks import AnyCallable, Guard, Public, chain, describe, held_by, marks_of


class Parts:
    """Everything that a request with one method runs through: the view's wrappers, its class, the method."""

    def __init__(self, view: AnyCallable, method: str) -> None:
        self.view: Final = list(chain(view))
        self.classes: Final[list[type]] = []
        self.methods: Final[list[Any]] = []
        self.handlers: Final[list[tuple[type, str]]] = []
        self.listed: Final[list[Guard]] = []
        for link in list(self.view):
            cls = getattr(link, "view_class", None)
            if isinstance(cls, type) and cls not in self.classes:
                self.classes.append(cls)
            if not isinstance(link, type | MethodType | FunctionType):
                self.view.extend(chain(type(link).__dict__.get("__call__")))
        for cls in self.classes:
            self.methods.extend(chain(getattr(cls, "dispatch_request", None)))
            # HEAD follows GET: a guard on GET holds for a HEAD method of the class's own too.
            names = ["head", "get"] if method == "HEAD" else [method.lower()]
            for name in names:
                self.methods.extend(chain(getattr(cls, name, None)))
            handler = next((name for name in names if hasattr(cls, name)), "")
            self.handlers.append((cls, handler))
            # What Flask-RESTX applies to a resource's methods at each request.
            listed = getattr(cls, "method_decorators", ())
            guards = (getattr(one, "guard", None) for one in (listed if isinstance(listed, list | tuple) else ()))
            self.listed.extend(guard for guard in guards if isinstance(guard, Guard))

    @property
    def all(self) -> list[Any]:
        """Every function among them, from the outside in."""
        return [*self.view, *self.methods]

    @property
    def is_restx(self) -> bool:
        """Whether the view is a resource of Flask-RESTX, which names its endpoints in its own way."""
        return any(base.__module__.startswith("flask_restx") for cls in self.classes for base in cls.__mro__)

    def override(self) -> Public | None:
        """Return the declaration that opens this route although something is guarded.

        It names one route, and so it outweighs the guards of class and blueprint; those of its own chain stand
        below it, or the decorators have refused it.

        Raises:
            ConfigurationError: it is on a method, and the route that the class was registered with is guarded.
        """
        for link in self.view:
            if (found := marks_of(link).override) is not None:
                return found
        for cls, name in self.handlers:
            for link in chain(getattr(cls, name, None)):
                if (found := marks_of(link).override) is not None:
                    if any(marks_of(above).guards for above in [*self.view, *_derived(cls, name)]):
                        raise ConfigurationError(
                            f"{describe(link)} is opened by public(reason=..., override=True), and the route or a "
                            "subclass of its class is guarded: take one of them away"
                        )
                    return found
        return None

    def guards(self) -> list[Guard]:
        """Return every guard declared on any part, limited to some methods or not."""
        bases = (base for cls in self.classes for base in cls.__mro__)
        return [*(guard for part in [*self.all, *bases] for guard in marks_of(part).guards), *self.listed]

    def public(self) -> Public | None:
        """Return the plain public declaration; subclasses, with methods of their own, do not inherit one."""
        declared = (marks_of(part).public for part in [*self.all, *self.classes])
        return next((one for one in declared if one is not None), None)

    def held_guards(self) -> tuple[list[Guard], tuple[AnyCallable, ...]]:
        """Look for guards behind decorators that do not use functools.wraps.

        A raw function that is marked but reached without its wrapper was guarded above its route: the view is a
        decorator around it, and its guards become the view's. A wrapper guards itself and is only reported.
        """
        raw: list[Guard] = []
        holds: dict[AnyCallable, None] = {}
        known = {id(part) for part in self.all}
        for part in self.all:
            if marks_of(part).enforces is not None:
                continue
            for held in held_by(part):
                if id(held) in known:
                    continue
                if any(marks_of(link).enforces for link in chain(held)):
                    holds[held] = None
                else:
                    raw += marks_of(held).guards
        return raw, tuple(holds)


def _derived(cls: type, name: str) -> list[type]:
    """Return the classes that inherit a method from the one that defines it."""
    bases = list(cls.__mro__)
    definer = next((index for index, base in enumerate(bases) if name in base.__dict__), 0)
    return bases[:definer]

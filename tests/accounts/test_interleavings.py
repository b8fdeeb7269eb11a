"""Any interleaving of what can happen to sessions, held against a simple model of what must be valid."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from flask_permjwt.errors import AuthError, InvalidCredentialsError, InvalidTokenError

PASSWORDS = ["correct horse battery staple", "another good long password", "a third one, also long"]
GRACE = 10
LIFETIME = 1000
ACCESS = 200


@dataclass(eq=False)
class Session:
    """What the model knows of a session."""

    end: float
    version: int
    authenticated: float
    refresh: list[str] = field(default_factory=list)
    rotated: dict[str, float] = field(default_factory=dict)
    over: bool = False


def test_any_interleaving_keeps_valid_what_must_be_and_nothing_else(  # noqa: C901  # one machine of many rules
    make_world, fake_clock
):
    world = make_world(
        "sqlite://", session_lifetime=LIFETIME, access_lifetime=ACCESS, refresh_grace=GRACE, throttled=False
    )
    start = fake_clock.now

    class Sessions(RuleBasedStateMachine):
        logins = Bundle("logins")

        def __init__(self):
            super().__init__()
            fake_clock.now = start
            for table in reversed(world.db.metadata.sorted_tables):
                world.db.session.execute(table.delete())
            world.users.create("alice", PASSWORDS[0])
            world.db.session.commit()
            world.db.session.remove()
            self.password, self.active, self.version = PASSWORDS[0], True, 1
            self.sessions = []

        @property
        def alice(self):
            return world.users.find("alice")

        def living(self, session):
            return not session.over and fake_clock.now < session.end

        def attempt(self, use_case, *arguments, **options):
            try:
                with world.accounts.transaction():
                    return use_case(*arguments, **options)
            except AuthError as error:
                return error

        @rule(target=logins, password=st.sampled_from(PASSWORDS))
        def log_in(self, password):
            answer = self.attempt(world.accounts.log_in, "alice", password, bind_csrf=False)
            if password != self.password or not self.active:
                assert isinstance(answer, InvalidCredentialsError)
                return multiple()
            session = Session(fake_clock.now + LIFETIME, self.version, fake_clock.now, [answer.refresh_token])
            self.sessions.append(session)
            session.id, session.access = answer.session_id, answer.access_token
            return session

        @rule(session=logins, which=st.integers(0, 5))
        def refresh(self, session, which):
            presented = session.refresh[-1 - which % len(session.refresh)]
            try:
                token = world.verified(presented)
            except InvalidTokenError:
                assert fake_clock.now >= session.end
                return
            answer = self.attempt(world.accounts.refresh, token, bind_csrf=False)
            current = presented == session.refresh[-1]
            within = fake_clock.now - session.rotated.get(presented, -1e9) <= GRACE
            if not self.living(session):
                assert isinstance(answer, InvalidTokenError)
            elif not (current or within) or not self.active or session.version != self.version:
                assert isinstance(answer, InvalidTokenError)
                session.over = True
            elif current:
                assert answer.refresh_token not in session.refresh
                session.rotated[presented] = fake_clock.now
                session.refresh.append(answer.refresh_token)
                self.check_tokens(session, answer)
            else:
                assert answer.refresh_token == session.refresh[-1]
                self.check_tokens(session, answer)

        def check_tokens(self, session, answer):
            claims = world.verified(answer.access_token).claims
            assert claims["exp"] == min(fake_clock.now + ACCESS, session.end)
            assert claims["auth_time"] == session.authenticated
            assert world.verified(answer.refresh_token).expires_at == session.end
            session.access = answer.access_token

        @rule(session=logins)
        def renew(self, session):
            principal = world.codec.verify(session.access, "at+jwt").principal
            answer = world.accounts.renew(principal)
            may = self.living(session) and self.active and session.version == self.version
            assert (answer is not None) == may
            if answer is not None:
                assert answer.access_expires_at == min(fake_clock.now + ACCESS, session.end)
                session.access = answer.access_token

        @rule(session=logins, password=st.sampled_from(PASSWORDS))
        def confirm(self, session, password):
            principal = world.codec.verify(session.access, "at+jwt").principal
            if self.alice is None or session.version != self.version:
                return
            answer = self.attempt(world.accounts.confirm, principal, self.alice, password, bind_csrf=False)
            if password == self.password and self.active and self.living(session):
                session.authenticated = fake_clock.now
                session.access = answer.access_token
                assert world.verified(answer.access_token).claims["auth_time"] == fake_clock.now
            else:
                assert isinstance(answer, AuthError)

        @rule(session=logins)
        def log_out(self, session):
            token = world.codec.verify(session.access, "at+jwt")
            self.attempt(world.accounts.log_out, token)
            session.over = True

        @rule(session=logins, keep=st.booleans())
        def log_out_everywhere(self, session, keep):
            subject = self.alice.public_id
            self.attempt(world.accounts.log_out_everywhere, subject, keep=session.id if keep else None)
            for one in self.sessions:
                one.over = one.over or not keep or one is not session
            self.version += not keep

        @rule(session=logins, new=st.sampled_from(PASSWORDS))
        def change_password(self, session, new):
            if not self.active or session.version != self.version:
                return
            principal = world.codec.verify(session.access, "at+jwt").principal
            answer = self.attempt(
                world.self_service.change_password, principal, self.alice, self.password, new, address=None
            )
            if not self.living(session):
                assert isinstance(answer, InvalidTokenError)
                return
            assert answer is None
            self.password = new
            for one in self.sessions:
                one.over = one.over or one is not session

        @rule(new=st.sampled_from(PASSWORDS))
        def set_password(self, new):
            world.users.set_password(self.alice, new)
            world.db.session.commit()
            self.password = new
            self.void()

        @rule()
        def disable(self):
            world.users.set_active(self.alice, False)
            world.db.session.commit()
            self.active = False
            self.void()

        @rule()
        def enable(self):
            world.users.set_active(self.alice, True)
            world.db.session.commit()
            self.active = True

        def void(self):
            self.version += 1
            for one in self.sessions:
                one.over = True

        @rule(seconds=st.sampled_from([1, 3, GRACE, GRACE + 1, 50, ACCESS, LIFETIME]))
        def wait(self, seconds):
            fake_clock.advance(seconds)

        @rule()
        def prune(self):
            with world.accounts.transaction():
                world.sessions.prune(now=fake_clock.now, limit=100)

        @invariant()
        def the_listing_shows_what_lives(self):
            listed = {one.id for one in world.accounts.sessions(self.alice.public_id)}
            assert listed == {one.id for one in self.sessions if self.living(one)}
            world.db.session.rollback()

    run_state_machine_as_test(Sessions, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))

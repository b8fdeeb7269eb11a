/**
 * Whether a list of grants covers a permission, by the server's rules: `*` stands for one segment in the
 * middle, and for one or more at the end. The page only shows and hides things by it; the server decides.
 */
export function covers(grants, permission) {
  const wanted = permission.split(":");
  return grants.some((grant) => {
    const given = grant.split(":");
    const open = given.at(-1) === "*";
    if (open ? given.length > wanted.length : given.length !== wanted.length) return false;
    return given.every((segment, place) => segment === "*" || segment === wanted[place]);
  });
}

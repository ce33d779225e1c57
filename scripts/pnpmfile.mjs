/** What pnpm asks before it packs a package, for `pnpm pack` and `pnpm publish` alike. */
export const hooks = {
  /**
   * Programs are bundled: what they need is in them, and nothing is installed beside them.
   *
   * @param {Readonly<Record<string, unknown>>} manifest
   * @returns {Readonly<Record<string, unknown>>}
   */
  beforePacking(manifest) {
    if (manifest["bin"] === undefined) {
      return manifest;
    }
    const left = new Set(["dependencies", "devDependencies"]);
    return Object.fromEntries(Object.entries(manifest).filter(([field]) => !left.has(field)));
  },
};

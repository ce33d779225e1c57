/** What pnpm asks before it packs a package, for `pnpm pack` and `pnpm publish` alike. */
module.exports = {
  hooks: {
    /** Programs are bundled: what they need is in them, and nothing is installed beside them. */
    beforePacking(manifest) {
      if (manifest.bin === undefined) {
        return manifest;
      }
      const { dependencies, devDependencies, ...packed } = manifest;
      return packed;
    },
  },
};

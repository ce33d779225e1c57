import type { KnipConfig } from "knip";

// Runs twice: over everything, and with --production over the patterns that end in "!". There an
// export counts as unused that neither its own file nor another product file uses. Entry points come
// from each package.json; the gate names tsconfig.build.json, which says that dist/x.js is src/x.ts.
const production = process.argv.includes("--production");

const SOURCE = ["src/**/*.ts!", "!src/**/*.test.ts!"];

const config: KnipConfig = {
  ignoreExportsUsedInFile: production ? true : { interface: true, type: true },
  workspaces: {
    ".": {
      entry: ["scripts/*.{ts,mjs}!"],
      project: ["scripts/**/*.{ts,mjs}!", "!scripts/**/*.test.ts!", "!scripts/{lint,test}/**!"],
      // The gates start these programs by name.
      ignoreDependencies: [
        "@arethetypeswrong/cli",
        "@changesets/cli",
        "oxlint",
        "oxlint-tsgolint",
        "publint",
      ],
      // Where tests get what Debian has.
      ignoreBinaries: ["apt-get"],
    },
    // Tests start the programs in test/child as processes.
    "packages/*": { entry: ["test/child/*.ts"], project: [...SOURCE, "{test,scripts}/**/*.ts"] },
    // What the page loads into a browser.
    "packages/status-page": { entry: ["src/browser/main.ts!"], project: SOURCE },
    // buf.gen.yaml names the plugin.
    "packages/proto": {
      project: [...SOURCE, "{test,scripts}/**/*.ts"],
      ignoreDependencies: ["ts-proto"],
    },
    // Programs of the system that tests use.
    "apps/*": { project: [...SOURCE, "test/**/*.ts"], ignoreBinaries: ["mkfifo"] },
    // What comes with systemd.
    "apps/multipooler": {
      project: [...SOURCE, "test/**/*.ts"],
      ignoreBinaries: ["mkfifo", "script", "systemd-notify"],
    },
    "dev/*": { project: [...SOURCE, "test/**/*.ts"] },
    "dev/embedded-etcd": { project: [...SOURCE, "test/**/*.ts"], ignoreBinaries: ["etcd"] },
    benchmarks: { entry: ["src/main.ts!", "src/subjects/worker.ts!"], project: SOURCE },
    // The program of "npm run compat", and what tests load into processes.
    e2e: {
      entry: [
        "compat/{main,patient-suite,postgres-js-{suite,runner,server}}.ts",
        "test/switchover/{kill-hook,call-hook}.ts",
      ],
      project: ["{compat,gateway,test}/**/*.ts"],
      ignoreBinaries: ["mkfifo", "perl", "prlimit", "promtool", "systemd-analyze"],
    },
  },
};

export default config;

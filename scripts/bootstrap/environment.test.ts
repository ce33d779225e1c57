import { expect, test } from "vitest";
import { childEnvironment } from "./environment.mjs";

test("leaves out what npm says about its own run", () => {
  const npmRun = {
    INIT_CWD: "/x",
    NODE: "/usr/bin/node",
    npm_command: "start",
    npm_config_local_prefix: "/x",
    npm_config_nodedir: "/usr",
    npm_config_user_agent: "npm/11",
    npm_execpath: "/npm-cli.js",
    npm_lifecycle_event: "start",
    npm_node_execpath: "/usr/bin/node",
    npm_package_json: "/x/package.json",
  };
  expect(childEnvironment(npmRun)).toEqual({});
});

test("keeps everything else, settings of npm that a user has made included", () => {
  const kept = {
    PATH: "/bin",
    NODE_OPTIONS: "--no-deprecation",
    CI: "true",
    npm_config_cache: "/cache",
    npm_config_registry: "http://localhost:4873",
    npm_config_userconfig: "/home/me/.npmrc",
  };
  expect(childEnvironment(kept)).toEqual(kept);
});

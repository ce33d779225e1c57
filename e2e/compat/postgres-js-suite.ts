/**
 * Loaded into the process of postgres.js' tests, ahead of them. Puts our own test runner and preparation
 * of the server in the place of theirs: one stops at the first failure, the other needs PostgreSQL's
 * programs and a server without passwords.
 */
import { registerHooks } from "node:module";

const OWN: Readonly<Record<string, string>> = {
  "./test.js": "./postgres-js-runner.ts",
  "./bootstrap.js": "./postgres-js-server.ts",
};
const TESTS = /\/tests\/index\.js$/;

registerHooks({
  resolve: (specifier, context, next) => {
    const own = TESTS.test(context.parentURL ?? "") ? OWN[specifier] : undefined;
    return own === undefined
      ? next(specifier, context)
      : {
          url: new URL(own, import.meta.url).href,
          format: "module-typescript",
          shortCircuit: true,
        };
  },
});

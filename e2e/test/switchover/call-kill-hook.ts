/**
 * Preloaded into a `ctl` command of the shipped program: ends it with SIGKILL instead of its first call of
 * the method that the environment names.
 */
import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";

/** The variable of the environment that names the method. */
const method = process.env["E2E_KILL_AT_CALL"] ?? "";
const { connect } = http2;

Object.assign(http2, {
  connect: (...args: Parameters<typeof connect>): ReturnType<typeof connect> => {
    const session = connect(...args);
    const request = session.request.bind(session);
    session.request = (headers, options) => {
      const path = new Map(Object.entries(headers ?? {})).get(":path");
      if (String(path).endsWith(`/${method}`)) {
        process.kill(process.pid, "SIGKILL");
      }
      return request(headers, options);
    };
    return session;
  },
});
syncBuiltinESMExports();

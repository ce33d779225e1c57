/**
 * Preloaded into a `ctl` command of the shipped program: ends it with SIGKILL instead of the call that the
 * environment names, as "<method>" or "<method> <n>" for the n-th one of it.
 */
import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";

/** The variable of the environment that names the call. */
const [method = "", nth = "1"] = (process.env["E2E_KILL_AT_CALL"] ?? "").split(" ");
let left = Number(nth);
const { connect } = http2;

Object.assign(http2, {
  connect: (...args: Parameters<typeof connect>): ReturnType<typeof connect> => {
    const session = connect(...args);
    const request = session.request.bind(session);
    session.request = (headers, options) => {
      const path = new Map(Object.entries(headers ?? {})).get(":path");
      if (String(path).endsWith(`/${method}`)) {
        left -= 1;
        if (left === 0) {
          process.kill(process.pid, "SIGKILL");
        }
      }
      return request(headers, options);
    };
    return session;
  },
});
syncBuiltinESMExports();

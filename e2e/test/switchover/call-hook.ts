/**
 * Preloaded into a `ctl` command of the shipped program, for the call that the environment names as
 * "<method>", or "<method> <n>" for the n-th one of it: ends the command with SIGKILL instead of the call, or
 * holds it there where there is a gate, until that is opened.
 */
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";
import { CALL_VARIABLE, GATE_VARIABLE } from "./held-call.ts";

const [method = "", nth = "1"] = (process.env[CALL_VARIABLE] ?? "").split(" ");
const gate = process.env[GATE_VARIABLE];
let left = Number(nth);
const { connect } = http2;

function meetCall(): void {
  if (gate === undefined) {
    process.kill(process.pid, "SIGKILL");
  } else {
    // A FIFO: the end of it comes when its writer closes it.
    readFileSync(gate);
  }
}

Object.assign(http2, {
  connect: (...args: Parameters<typeof connect>): ReturnType<typeof connect> => {
    const session = connect(...args);
    const request = session.request.bind(session);
    session.request = (headers, options) => {
      const path = new Map(Object.entries(headers ?? {})).get(":path");
      if (String(path).endsWith(`/${method}`)) {
        left -= 1;
        if (left === 0) {
          meetCall();
        }
      }
      return request(headers, options);
    };
    return session;
  },
});
syncBuiltinESMExports();

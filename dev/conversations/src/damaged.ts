import fc from "fast-check";
import {
  copyData,
  copyDone,
  copyFail,
  execute,
  message,
  parse,
  query,
  sync,
  unknownMessage,
} from "./frontend.ts";

/** Messages that no client should send, or not there. */
export const damaged: fc.Arbitrary<Buffer[]> = fc.constantFrom(
  [unknownMessage()],
  [message("p", "password\0")],
  [message("Q", "select 1")],
  [message("Q", "")],
  [message("Q", "select 1\0select 2\0")],
  [message("P", "cut"), sync],
  [message("P", "\0select 1\0"), sync],
  [message("P", "\0select 1\0\0\0more"), sync],
  [message("B", "\0\0"), sync],
  [parse("select 1"), message("B", "\0\0\0\0\0\x05"), sync],
  [message("D", "Xname\0"), sync],
  [message("D", ""), sync],
  [message("C", "Xname\0"), sync],
  [message("E", ""), sync],
  [message("S", "more")],
  [message("H", "more"), sync],
  [message("F", "")],
  [copyData("stray\n")],
  [copyDone],
  [copyFail("stray")],
  [execute(), query("select 1"), sync],
  [parse("select 1"), query("select 2"), sync],
);

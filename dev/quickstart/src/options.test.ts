import { resolve } from "node:path";
import { expect, test } from "vitest";
import { QuickstartError } from "./error.ts";
import { DEFAULT_PORTS, HELP, readOptions } from "./options.ts";

test("uses the pooler's own ports and a directory in the repository unless told otherwise", () => {
  expect(readOptions([])).toEqual({
    directory: resolve(import.meta.dirname, "../../../.multipooler"),
    ports: { postgres: 15_432, http: 15_200, grpc: 15_270, psql: 15_433 },
    replicas: expect.any(Number),
  });
});

test("takes each port and the directory from the command line", () => {
  const ports = ["--postgres-port", "1", "--http-port=2", "--grpc-port", "65535", "--psql-port=4"];
  const args = [...ports, "--directory=x y"];
  expect(readOptions(args)).toEqual({
    directory: resolve("x y"),
    ports: { postgres: 1, http: 2, grpc: 65_535, psql: 4 },
    replicas: 0,
  });
});

test("has a help text that names each option and default", () => {
  expect(readOptions(["--help", "--http-port", "x"])).toBeUndefined();
  for (const port of Object.values(DEFAULT_PORTS)) {
    expect(HELP).toContain(String(port));
  }
});

test.each([
  [["--grpc-port", "0"], '--grpc-port: "0" is not a port (1 to 65535)'],
  [["--http-port", "65536"], '--http-port: "65536" is not a port (1 to 65535)'],
  [["--postgres-port", "1e3"], '--postgres-port: "1e3" is not a port (1 to 65535)'],
  [["--postgres-port", ""], '--postgres-port: "" is not a port (1 to 65535)'],
  [["--replicas", "6"], '--replicas: "6" is not from 0 to 5'],
  [["--replicas=two"], '--replicas: "two" is not from 0 to 5'],
  [
    ["--replicas=2", "--psql-port=65530"],
    "--replicas: the ports of replica 2 would go up to 65550, above 65535",
  ],
  [["--port", "1"], "Unknown option '--port'"],
  [["now"], "Unexpected argument 'now'"],
])("refuses %j and names what is wrong", (args, message) => {
  expect(() => readOptions(args)).toThrow(QuickstartError);
  expect(() => readOptions(args)).toThrow(message);
});

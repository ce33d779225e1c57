import { expect, test } from "vitest";
import { foreignVariables, isOfKubernetes, mistypedVariables } from "./environment.ts";
import { settings } from "./settings.ts";

test.each([
  ["MULTIPOOLER_SERVICE_HOST", "10.0.0.1", true],
  ["MULTIPOOLER_SERVICE_PORT", "15270", true],
  ["MULTIPOOLER_SERVICE_PORT_HTTP", "15200", true],
  ["MULTIPOOLER_PORT", "tcp://10.0.0.1:15270", true],
  ["MULTIPOOLER_PORT_15270_TCP", "tcp://10.0.0.1:15270", true],
  ["MULTIPOOLER_PORT_15270_TCP_ADDR", "10.0.0.1", true],
  ["MULTIPOOLER_GRPC_PORT", "tcp://10.0.0.1:15270", true],
  ["MULTIPOOLER_GRPC_PORT", "15270", false],
  ["MULTIPOOLER_CELL", "zone1", false],
  ["OTHER_PORT", "tcp://10.0.0.1:1", false],
])("%s=%s is of Kubernetes: %s", (name, value, expected) => {
  expect(isOfKubernetes(name, value)).toBe(expected);
});

test.each([
  ["MULTIPOOLER_GRPC_PROT", "MULTIPOOLER_GRPC_PORT"],
  ["MULTIPOOLER_CEL", "MULTIPOOLER_CELL"],
  ["MULTIPOOLER_CONFIG_FILES", "MULTIPOOLER_CONFIG_FILE"],
])("%s is %s mistyped", (given, meant) => {
  expect(mistypedVariables(settings, { [given]: "1" })).toEqual([
    `${given}: there is no such setting; did you mean ${meant}?`,
  ]);
});

test.each([
  ["MULTIPOOLER_GRPC_PORT", "1"],
  ["MULTIPOOLER_ADDRESS", "db1:1"],
  ["MULTIPOOLER_SERVICE_PORT", "1"],
  ["MULTIPOLER_CELL", "1"],
])("%s=%s is left alone", (name, value) => {
  expect(mistypedVariables(settings, { [name]: value })).toEqual([]);
  expect(foreignVariables(settings, { [name]: value })).toEqual([]);
});

test("a variable of OpenTelemetry that is not read is told of", () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "a=b",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
  };
  expect(foreignVariables(settings, env)).toEqual([
    "OTEL_EXPORTER_OTLP_PROTOCOL is ignored: of OpenTelemetry's variables only " +
      "OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS are read",
  ]);
});

test("a variable with the prefix that is like no setting is told of, and stops no start", () => {
  const env = { MULTIPOOLER_OF_SOMETHING_ELSE_ALTOGETHER: "1" };
  expect(mistypedVariables(settings, env)).toEqual([]);
  expect(foreignVariables(settings, env)).toEqual([
    "MULTIPOOLER_OF_SOMETHING_ELSE_ALTOGETHER is ignored: there is no such setting",
  ]);
});

import { expect, test } from "vitest";
import { grpcTls } from "./grpc-tls.ts";

const NOTHING = {
  grpcCert: undefined,
  grpcKey: undefined,
  grpcServerCa: undefined,
  grpcCa: undefined,
  grpcAuthMode: undefined,
  grpcAuthSubstrings: undefined,
  managerSubstrings: undefined,
} as const;
const SERVER = { ...NOTHING, grpcCert: "/c", grpcKey: "/k" } as const;

test("without settings there is no TLS", () => {
  expect(grpcTls(NOTHING)).toBeUndefined();
});

test("each setting has its place", () => {
  expect(
    grpcTls({
      ...SERVER,
      grpcServerCa: "/chain",
      grpcCa: "/ca",
      grpcAuthMode: "mtls",
      grpcAuthSubstrings: ["a", "b"],
      managerSubstrings: undefined,
    }),
  ).toEqual({
    certFile: "/c",
    keyFile: "/k",
    chainFile: "/chain",
    clientCaFile: "/ca",
    allowedSubjects: ["a", "b"],
  });
});

test.each([
  [{ ...NOTHING, grpcCert: "/c" }, ["--grpc-cert needs --grpc-key"]],
  [{ ...NOTHING, grpcKey: "/k" }, ["--grpc-key needs --grpc-cert"]],
  [{ ...NOTHING, grpcServerCa: "/s" }, ["--grpc-server-ca needs --grpc-cert"]],
  [{ ...NOTHING, grpcCa: "/ca" }, ["--grpc-ca needs --grpc-cert"]],
  [
    { ...SERVER, grpcAuthMode: "mtls" },
    [
      "--grpc-auth-mode needs --grpc-ca",
      "--grpc-auth-mode needs --grpc-auth-mtls-allowed-substrings",
    ],
  ],
  [
    { ...SERVER, grpcAuthSubstrings: ["a"] },
    ["--grpc-auth-mtls-allowed-substrings needs --grpc-auth-mode mtls"],
  ],
  [{ ...SERVER, managerSubstrings: ["a"] }, ["--grpc-manager-allowed-substrings needs --grpc-ca"]],
] as const)("%j is refused", (config, problems) => {
  expect(() => grpcTls(config)).toThrow(expect.objectContaining({ problems }));
});

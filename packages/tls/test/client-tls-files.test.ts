import { statSync } from "node:fs";
import { chmod, rm, symlink } from "node:fs/promises";
import { ManualClock } from "@multipooler/timing/testing";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import { expect, onTestFinished, test } from "vitest";
import { checkClientTls, ClientTlsFiles } from "../src/client-tls-files.ts";
import type { ClientTlsConfig } from "../src/client-tls-files.ts";
import { WatchedFiles } from "../src/watched-files.ts";

const AUTHORITY = new Authority();

async function directory(): Promise<PemDirectory> {
  const made = await PemDirectory.create();
  onTestFinished(async () => await made[Symbol.asyncDispose]());
  return made;
}

function watch(config: ClientTlsConfig): {
  readonly files: ClientTlsFiles;
  readonly clock: ManualClock;
  readonly log: unknown[];
} {
  const clock = new ManualClock();
  const log: unknown[] = [];
  const logger = {
    info: (fields: object, message: string) => log.push(["info", message, fields]),
    error: (fields: object, message: string) => log.push(["error", message, fields]),
  };
  return { files: new ClientTlsFiles(config, { clock, logger }), clock, log };
}

test.each<[ClientTlsConfig, string]>([
  [{ mode: "verify-ca" }, 'sslmode "verify-ca" needs sslrootcert'],
  [{ mode: "verify-full" }, 'sslmode "verify-full" needs sslrootcert'],
  [{ mode: "verify-ca", rootCertFile: "system" }, "too weak for sslrootcert"],
  [{ mode: "prefer", negotiation: "direct" }, 'too weak for sslnegotiation "direct"'],
  [{ mode: "disable", channelBinding: "require" }, 'channel_binding "require" needs TLS'],
  [{ mode: "require", certFile: "/c" }, "sslcert is set without sslkey"],
  [{ mode: "require", keyFile: "/k" }, "sslkey is set without sslcert"],
])("%j is refused", (config, words) => {
  expect(() => checkClientTls(config)).toThrow(
    expect.objectContaining({ code: "INVALID_SETTINGS", message: expect.stringContaining(words) }),
  );
});

test("the operating system's authorities are read", () => {
  const { files } = watch({ mode: "verify-full", rootCertFile: "system" });
  expect(files.settings.mode).toBe("verify-full");
  expect(files.settings.ca).toBeTypeOf("string");
});

test("without TLS no file is looked at", () => {
  const { files } = watch({ mode: "disable", rootCertFile: "/does/not/exist" });
  expect(files.settings).toEqual({ mode: "disable" });
});

test.each(["rootCertFile", "certFile", "keyFile"] as const)(
  "%s that holds something else is named",
  async (name) => {
    const pem = await directory();
    const { cert, key } = AUTHORITY.issue();
    const good = {
      rootCertFile: await pem.write("ca.pem", AUTHORITY.cert),
      certFile: await pem.write("cert.pem", cert),
      keyFile: await pem.write("key.pem", key),
    };
    const bad = await pem.write("bad.pem", "-----BEGIN NOTHING-----\n");
    for (const file of [bad, `${pem.path}/missing`, pem.path]) {
      expect(() => watch({ mode: "require", ...good, [name]: file })).toThrow(
        expect.objectContaining({ code: "FILES_INVALID", message: expect.stringContaining(file) }),
      );
    }
  },
);

test("a certificate with the key of another one is refused", async () => {
  const pem = await directory();
  const certFile = await pem.write("cert.pem", AUTHORITY.issue().cert);
  const keyFile = await pem.write("key.pem", AUTHORITY.issue().key);
  expect(() => watch({ mode: "require", certFile, keyFile })).toThrow(
    expect.objectContaining({ code: "FILES_INVALID", message: expect.stringContaining(keyFile) }),
  );
});

test("files that are replaced count from the next use on, once they fit together", async () => {
  const pem = await directory();
  const first = AUTHORITY.issue();
  const second = AUTHORITY.issue();
  const certFile = await pem.write("cert.pem", first.cert);
  const keyFile = await pem.write("key.pem", first.key);
  const { files, clock, log } = watch({ mode: "require", certFile, keyFile });
  const before = files.settings;
  await clock.advance(1000);
  expect(files.settings).toBe(before);
  await pem.write("cert.pem", second.cert);
  expect(files.settings).toBe(before);
  await clock.advance(1000);
  expect(files.settings).toBe(before);
  expect(log).toEqual([
    [
      "error",
      "the new TLS of connections to PostgreSQL cannot be used",
      expect.objectContaining({ certFile, keyFile }),
    ],
  ]);
  await pem.write("key.pem", second.key);
  await clock.advance(1000);
  expect(files.settings).toMatchObject({ certificate: second.cert, key: second.key });
  await rm(keyFile);
  await clock.advance(1000);
  expect(files.settings).toMatchObject({ certificate: second.cert, key: second.key });
});

test("a file that cannot be looked at leaves the old value, and the log says so once", async () => {
  const pem = await directory();
  const { cert, key } = AUTHORITY.issue();
  const certFile = await pem.write("cert.pem", cert);
  const keyFile = await pem.write("key.pem", key);
  const { files, clock, log } = watch({ mode: "require", certFile, keyFile });
  await rm(certFile);
  await symlink(certFile, certFile);
  for (let count = 0; count < 3; count += 1) {
    await clock.advance(1000);
    expect(files.settings).toMatchObject({ certificate: cert, key });
  }
  expect(log).toEqual([
    [
      "error",
      "the new TLS of connections to PostgreSQL cannot be used",
      expect.objectContaining({
        err: expect.objectContaining({ message: expect.stringContaining("ELOOP") }),
      }),
    ],
  ]);
});

test("a file is read again when its permissions alone have changed", async () => {
  const pem = await directory();
  const file = await pem.write("secret", "first");
  const readable = 0o640;
  const clock = new ManualClock();
  const log: string[] = [];
  const files = new WatchedFiles({
    what: "secret",
    source: {
      files: { file },
      load: () => (statSync(file).mode & 0o777) === readable,
    },
    clock,
    logger: {
      info: (_fields, message) => log.push(message),
      error: (_fields, message) => log.push(message),
    },
  });
  expect(files.current).toBe(false);
  await chmod(file, readable);
  await clock.advance(1000);
  expect(files.current).toBe(true);
  expect(log).toEqual(["the secret was replaced"]);
});

test("no key is written to the log", async () => {
  const pem = await directory();
  const { cert, key } = AUTHORITY.issue();
  const certFile = await pem.write("cert.pem", cert);
  const keyFile = await pem.write("key.pem", key);
  const { files, clock, log } = watch({ mode: "require", certFile, keyFile });
  await pem.write("key.pem", AUTHORITY.issue().key);
  await clock.advance(1000);
  expect(files.settings.key).toBe(key);
  expect(log).toHaveLength(1);
  expect(JSON.stringify(log)).not.toContain("PRIVATE KEY");
});

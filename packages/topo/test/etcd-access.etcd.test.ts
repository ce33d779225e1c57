import { join } from "node:path";
import { startEtcd } from "@multipooler/embedded-etcd";
import { expect, test } from "vitest";
import { EtcdBackend } from "../src/etcd/index.ts";
import type { EtcdBackendOptions } from "../src/etcd/index.ts";
import { TopoErrorCode } from "../src/index.ts";
import { makeCertificates } from "./certificates.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const VALUE = Buffer.from("value");

test("a cluster that speaks TLS and asks for certificates is reached with them only", async () => {
  await using directory = await temporaryDirectory();
  const { ca, otherCa, server, client } = await makeCertificates(directory.path);
  await using etcd = await startEtcd({ tls: { ...server, clientCaFile: ca } });
  const write = async (
    options: EtcdBackendOptions,
    address = `localhost:${etcd.port}`,
  ): Promise<bigint> => {
    const store = new EtcdBackend(options).connect([address]);
    try {
      return await store.put("/tls", VALUE);
    } finally {
      await store.close();
    }
  };
  await write({ tls: { caFile: ca, ...client } });
  await write({ tls: { caFile: ca, ...client } }, `https://localhost:${etcd.port}`);
  const unavailable = { code: TopoErrorCode.Unavailable };
  await expect(write({})).rejects.toMatchObject(unavailable);
  await expect(write({}, `https://localhost:${etcd.port}`)).rejects.toMatchObject(unavailable);
  await expect(write({ tls: { caFile: ca } })).rejects.toMatchObject(unavailable);
  await expect(write({ tls: { caFile: otherCa, ...client } })).rejects.toMatchObject(unavailable);
  const missing = join(directory.path, "missing.pem");
  await expect(write({ tls: { caFile: missing } })).rejects.toMatchObject({
    code: TopoErrorCode.InvalidArgument,
    key: missing,
  });
});

test("a cluster that asks for a password is reached with the right one only", async () => {
  await using etcd = await startEtcd();
  const connect = (username: string, password: string) =>
    new EtcdBackend({ credentials: { username, password } }).connect([etcd.address]);
  const [early, right] = [connect("pooler", "secret"), connect("pooler", "secret")];
  // A password that nobody asks for does no harm.
  await early.put("/auth", VALUE);
  await etcd.enableAuth({ name: "pooler", password: "secret" });
  await right.put("/auth", VALUE);
  await early.put("/auth", VALUE);
  for (const wrong of [connect("pooler", "wrong"), connect("nobody", "secret")]) {
    await expect(wrong.get("/auth")).rejects.toMatchObject({ code: TopoErrorCode.Denied });
    const reader = wrong.watch("/auth")[Symbol.asyncIterator]();
    await expect(reader.next()).rejects.toMatchObject({ code: TopoErrorCode.Denied });
    await wrong.close();
  }
  const anonymous = new EtcdBackend().connect([etcd.address]);
  await expect(anonymous.get("/auth")).rejects.toMatchObject({ code: TopoErrorCode.Denied });
  await Promise.all([early.close(), right.close(), anonymous.close()]);
});

test("a token that a restart made worthless is replaced, for calls, watches and sessions", async () => {
  await using etcd = await startEtcd();
  await etcd.enableAuth({ name: "pooler", password: "secret" });
  const credentials = { username: "pooler", password: "secret" };
  const store = new EtcdBackend({ credentials }).connect([etcd.address]);
  const reader = store.watch("/token/")[Symbol.asyncIterator]();
  expect(await reader.next()).toMatchObject({ value: { type: "snapshot" } });
  await etcd.kill();
  expect(await reader.next()).toMatchObject({ value: { type: "interrupted" } });
  await etcd.start();
  expect(await reader.next()).toMatchObject({ value: { type: "resumed" } });
  const session = await store.openSession({ ttlMs: 2000 });
  await store.create("/token/key", VALUE, { session });
  expect(await reader.next()).toMatchObject({ value: { type: "put" } });
  await session.close();
  expect(await reader.next()).toMatchObject({ value: { type: "delete" } });
  await reader.return?.();
  await store.close();
});

test("what is no address of a server is refused before anything is connected", () => {
  for (const address of [
    "etcd1",
    "etcd1:port",
    "http://",
    "etcd1:2379/path",
    "a b:2379",
    "::1:2379",
  ]) {
    expect(() => new EtcdBackend().connect([address])).toThrow("not host:port");
  }
  expect(() => new EtcdBackend().connect([])).toThrow("no address");
});

test("every usual form of an address is taken", async () => {
  const addresses = ["etcd1:2379", "127.0.0.1:2379", "[::1]:2379", "https://etcd-1.example:2379"];
  const store = new EtcdBackend().connect(addresses);
  await store.close();
  await expect(store.get("/key")).rejects.toMatchObject({ code: TopoErrorCode.Interrupted });
});

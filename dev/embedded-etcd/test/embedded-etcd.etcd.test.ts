import { access } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { startEtcd } from "../src/index.ts";

describe("an embedded etcd", () => {
  test("answers, keeps its data and port over a crash, and leaves nothing behind", async () => {
    let dataDir: string;
    {
      await using etcd = await startEtcd();
      dataDir = etcd.dataDir;
      const put = await post(etcd.address, "kv/put", { key: "YQ==", value: "Yg==" });
      expect(put.status).toBe(200);
      await etcd.kill();
      await expect(post(etcd.address, "kv/range", { key: "YQ==" })).rejects.toThrow("fetch failed");
      await etcd.start();
      const range = await post(etcd.address, "kv/range", { key: "YQ==" });
      expect(await range.json()).toMatchObject({ kvs: [{ value: "Yg==" }] });
      await expect(etcd.start()).rejects.toMatchObject({ code: "already-running" });
    }
    await expect(access(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("says in one line that its port is taken", async () => {
    await using etcd = await startEtcd();
    await expect(startEtcd({ port: etcd.port })).rejects.toMatchObject({ code: "port-in-use" });
  });
});

function post(address: string, path: string, body: object): Promise<Response> {
  return fetch(`http://${address}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
}

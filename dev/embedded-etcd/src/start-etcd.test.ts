import { expect, test, vi } from "vitest";
import { startEtcd } from "./start-etcd.ts";

test("a machine without etcd gets one line that says what to do", async () => {
  vi.stubEnv("PATH", "/nonexistent");
  try {
    await expect(startEtcd()).rejects.toMatchObject({ code: "not-installed" });
    await expect(startEtcd()).rejects.toThrow(/^etcd is not installed: .*apt-get install.*$/u);
  } finally {
    vi.unstubAllEnvs();
  }
});

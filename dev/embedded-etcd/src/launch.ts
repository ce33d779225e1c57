import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { EmbeddedEtcdError, NOT_INSTALLED } from "./error.ts";

const START_TIMEOUT_MS = 30_000;
const KEPT_LINES = 40;

/** Files in PEM for a server that speaks TLS. */
export interface EtcdTls {
  readonly certFile: string;
  readonly keyFile: string;
  /** Whose certificates clients must show; without it they need none. */
  readonly clientCaFile?: string | undefined;
}

/** Where a server works. */
export interface Launch {
  readonly dataDir: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly tls: EtcdTls | undefined;
}

/** Starts a server and resolves once it answers requests. Its process never outlives a failure. */
export async function launch(options: Launch): Promise<ChildProcess> {
  const child = spawn("etcd", arguments_(options), { stdio: ["ignore", "ignore", "pipe"] });
  // A process that exits before it has ended its server leaves none.
  const abandon = (): void => void child.kill("SIGKILL");
  process.once("exit", abandon);
  child.once("exit", () => process.off("exit", abandon));
  const ready = Promise.withResolvers<void>();
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) {
      lines.shift();
    }
    if (line.includes("serving client traffic")) {
      ready.resolve();
    }
  });
  const ended = (): void => ready.reject(startFailure(lines));
  const failed = (cause: Error): void =>
    ready.reject(new EmbeddedEtcdError("not-installed", NOT_INSTALLED, { cause }));
  child.once("exit", ended);
  child.once("error", failed);
  const timer = setTimeout(() => {
    const message = `etcd was not ready within ${START_TIMEOUT_MS} ms`;
    ready.reject(new EmbeddedEtcdError("start-timeout", message));
  }, START_TIMEOUT_MS);
  try {
    await ready.promise;
    return child;
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
    child.off("exit", ended);
    child.off("error", failed);
  }
}

/** Ends a server and resolves once it has ended. */
export async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

function arguments_({ dataDir, clientPort, peerPort, tls }: Launch): string[] {
  const clients = `${tls === undefined ? "http" : "https"}://127.0.0.1:${clientPort}`;
  const peers = `http://127.0.0.1:${peerPort}`;
  return [
    ["--name", "test"],
    ["--data-dir", dataDir],
    ["--listen-client-urls", clients],
    ["--advertise-client-urls", clients],
    ["--listen-peer-urls", peers],
    ["--initial-advertise-peer-urls", peers],
    ["--initial-cluster", `test=${peers}`],
    ["--logger", "zap"],
    tls === undefined ? [] : ["--cert-file", tls.certFile, "--key-file", tls.keyFile],
    tls?.clientCaFile === undefined
      ? []
      : ["--client-cert-auth", "--trusted-ca-file", tls.clientCaFile],
  ].flat();
}

function startFailure(lines: readonly string[]): EmbeddedEtcdError {
  const text = lines.join("\n");
  if (text.includes("address already in use")) {
    return new EmbeddedEtcdError("port-in-use", `etcd could not listen: ${lines.at(-1) ?? ""}`);
  }
  return new EmbeddedEtcdError("start-failed", `etcd ended before it was ready:\n${text}`);
}

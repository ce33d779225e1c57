import type { ChildProcess } from "node:child_process";
import { rm } from "node:fs/promises";
import { EmbeddedEtcdError } from "./error.ts";
import { end, launch } from "./launch.ts";
import type { Launch } from "./launch.ts";

export interface EmbeddedEtcdOptions {
  readonly launch: Launch;
  /** Whether the data directory goes away with the server. */
  readonly temporary: boolean;
  readonly child: ChildProcess;
}

/** An etcd server of one member, on loopback. */
export class EmbeddedEtcd {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly dataDir: string;
  readonly #launch: Launch;
  readonly #temporary: boolean;
  #child: ChildProcess;

  constructor({ launch: options, temporary, child }: EmbeddedEtcdOptions) {
    this.port = options.clientPort;
    this.dataDir = options.dataDir;
    this.#launch = options;
    this.#temporary = temporary;
    this.#child = child;
  }

  /** Host and port, as clients take them. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Starts the server again, on the same data and port. */
  async start(): Promise<void> {
    if (this.#isRunning()) {
      throw new EmbeddedEtcdError("already-running", "etcd is running");
    }
    this.#child = await launch(this.#launch);
  }

  /** Ends the server in good order. */
  async stop(): Promise<void> {
    await end(this.#child, "SIGTERM");
  }

  /** Ends the server at once, as a crash does. */
  async kill(): Promise<void> {
    await end(this.#child, "SIGKILL");
  }

  /** Stops the process without ending it, as an overloaded machine does, until `resume`. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Forgets the history up to a revision. */
  async compact(revision: bigint): Promise<void> {
    await this.#request("kv/compaction", { revision: String(revision), physical: true });
  }

  /** Makes a user with every permission, and refuses everybody else from now on. */
  async enableAuth(user: { readonly name: string; readonly password: string }): Promise<void> {
    // etcd turns authentication on only where a user called root has the role called root.
    for (const { name, password } of [user, { name: "root", password: user.password }]) {
      await this.#request("auth/user/add", { name, password });
      await this.#request("auth/user/grant", { user: name, role: "root" });
    }
    await this.#request("auth/enable", {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#temporary) {
      await rm(this.dataDir, { recursive: true, force: true });
    }
  }

  #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #request(path: string, body: object): Promise<void> {
    const response = await fetch(`http://${this.address}/v3/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    const answer = await response.text();
    if (!response.ok) {
      throw new EmbeddedEtcdError("request-failed", `${path}: ${answer}`);
    }
  }
}

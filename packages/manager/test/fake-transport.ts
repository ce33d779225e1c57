import type { CallOptions } from "@multipooler/query-service";
import type { PoolerService, ServiceTransport } from "../src/transport/service-transport.ts";

/** A transport that opens no socket and remembers what it was told. */
export class FakeTransport implements ServiceTransport {
  readonly offered: Set<PoolerService> = new Set();
  /** "listen", "moveClients" and "close", in order. */
  readonly calls: string[] = [];
  listening = false;
  /** Runs in `listen`; may throw, or take its time. */
  onListen: (signal: AbortSignal | undefined) => void | Promise<void> = () => undefined;
  /** Runs in `close`; may throw, or take its time. */
  onClose: (signal: AbortSignal | undefined) => void | Promise<void> = () => undefined;

  offer(service: PoolerService): void {
    this.offered.add(service);
  }

  async listen({ signal }: CallOptions = {}): Promise<void> {
    this.calls.push("listen");
    await this.onListen(signal);
    this.listening = true;
  }

  async moveClients(): Promise<void> {
    this.calls.push("moveClients");
  }

  async close({ signal }: CallOptions = {}): Promise<void> {
    this.calls.push("close");
    this.listening = false;
    await this.onClose(signal);
  }
}

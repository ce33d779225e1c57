import net from "node:net";
import { FrameGuard } from "./frame-guard.ts";

/**
 * A socket that hands on whole, well-formed messages of PostgreSQL only, and breaks with a
 * `FrameFault` at the first that is not. `pg` reads from it.
 */
export class GuardedSocket extends net.Socket {
  readonly #guard = new FrameGuard();

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (!Buffer.isBuffer(chunk)) {
      return super.push(chunk, encoding);
    }
    if (this.destroyed) {
      return false;
    }
    try {
      const whole = this.#guard.accept(chunk);
      // A reader that throws does so from inside `push`.
      return whole === undefined || super.push(whole);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error("unreadable", { cause: error }));
      return false;
    }
  }
}

import type { RequestEnd, SpanRequest } from "../connection/request.ts";

/** Takes an answer as spans: see the members of {@link SpanRequest} of these names. */
export type SpanReceiver = Pick<SpanRequest, "span" | "settle" | "message" | "drained">;

/** Frontend messages as they are, answered as bytes. */
export class RawUnit implements SpanRequest {
  readonly answer = "spans";
  readonly byteLength: number;
  readonly #bytes: Uint8Array;
  readonly #receiver: SpanReceiver;

  /** `bytes` are whole messages, answered by one ReadyForQuery: one Query, or up to one Sync. */
  constructor(options: { readonly bytes: Uint8Array; readonly receiver: SpanReceiver }) {
    this.#bytes = options.bytes;
    this.byteLength = options.bytes.length;
    this.#receiver = options.receiver;
  }

  writeTo(target: Buffer, start: number): number {
    target.set(this.#bytes, start);
    return start + this.byteLength;
  }

  span(bytes: Uint8Array): boolean {
    return this.#receiver.span(bytes);
  }

  message(code: number): boolean {
    return this.#receiver.message?.(code) ?? true;
  }

  drained(): void {
    this.#receiver.drained?.();
  }

  settle(end: RequestEnd): void {
    this.#receiver.settle(end);
  }
}

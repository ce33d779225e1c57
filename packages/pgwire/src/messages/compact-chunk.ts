import { ownsMemory, returnMemory } from "@multipooler/query-service";

/** A chunk up to this size is copied. */
const COPIED_BYTES = 4096;

/**
 * Takes a chunk that a socket has read, which nobody else has a view of, and returns its bytes where
 * they take little memory.
 *
 * Node reads into 64 KiB each time, and returns to the allocator what a small chunk leaves. The chunk
 * itself lives until the next garbage collection; meanwhile it keeps the allocator from using the rest
 * for the next read, which then takes fresh memory. So its memory is returned at once.
 */
export function compactChunk(chunk: Buffer): Buffer {
  const { length } = chunk;
  if (length > COPIED_BYTES || !ownsMemory(chunk)) {
    return chunk;
  }
  const copy = Buffer.allocUnsafe(length);
  copy.set(chunk);
  returnMemory(chunk);
  return copy;
}

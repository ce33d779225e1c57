/** Whether `bytes` are all of their memory, as those of small buffers are not. */
export function ownsMemory(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer.byteLength === bytes.length && bytes.buffer instanceof ArrayBuffer;
}

/**
 * Returns the memory of `bytes` to the allocator now, if nothing else is in it. To be called where nobody
 * has a view of them: those are empty afterwards. Memory outside of V8's heap that is left to its garbage
 * collector makes that collect everything each time some 32 MiB have come together.
 */
export function returnMemory(bytes: Uint8Array): void {
  if (ownsMemory(bytes)) {
    bytes.buffer.transfer(0);
  }
}

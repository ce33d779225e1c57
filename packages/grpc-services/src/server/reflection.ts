import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { fileDescriptorSet } from "@multipooler/proto/descriptors";

/**
 * Puts `grpc.reflection.v1.ServerReflection` and its v1alpha twin on `server`. They describe what
 * `/proto` declares; health is not among it.
 *
 * @param services the full names of the services to list.
 */
export function addReflection(server: Server, services: readonly string[]): void {
  // proto-loader's own reading of a descriptor set loses the imports between files, and then
  // strict clients such as grpcurl cannot resolve a type. The service looks at nothing but the
  // serialised files, so it gets them as they are.
  const reflection = new ReflectionService(
    {
      everything: {
        format: "Protocol Buffer 3 EnumDescriptorProto",
        type: {},
        fileDescriptorProtos: [...splitDescriptorSet(fileDescriptorSet)],
      },
    },
    { services: [...services] },
  );
  reflection.addToServer(server);
}

/** The files of a serialised google.protobuf.FileDescriptorSet: its field 1, repeated. */
function* splitDescriptorSet(set: Uint8Array): Generator<Buffer, void, void> {
  const bytes = Buffer.from(set.buffer, set.byteOffset, set.byteLength);
  let at = 0;
  while (at < bytes.byteLength) {
    let length = 0;
    let shift = 0;
    // Past the tag, a varint: seven bits a byte, the lowest first, until a byte below 0x80.
    do {
      at += 1;
      length |= (bytes.readUInt8(at) & 0x7f) << shift;
      shift += 7;
    } while (bytes.readUInt8(at) >= 0x80);
    at += 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { FileRegistry } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import { expect, test } from "vitest";
import { RawClient } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

const MANAGER_METHODS = Object.keys(MultiPoolerManagerDefinition.methods).length;
const VERSIONS = ["v1", "v1alpha"] as const;
/** Fields of ServerReflectionRequest and of the parts of its response that are of interest. */
const FILE_CONTAINING_SYMBOL = 4;
const LIST_SERVICES = 7;
const FILE_DESCRIPTOR_RESPONSE = 4;
const LIST_SERVICES_RESPONSE = 6;

/** What the server answers one question with: the field of the response, as bytes. */
async function ask(version: string, field: number, text: string): Promise<Map<number, Uint8Array>> {
  await using pooler = await startServer();
  using client = new RawClient(pooler.address);
  const request = new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish();
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const { messages, status } = await client.callBidi(path, request);
  expect(status.code).toBe(0);
  return new Map(messages.flatMap((message) => [...fieldsOf(message)]));
}

/** The length-delimited fields of a message, by number. */
function* fieldsOf(message: Uint8Array): Generator<[number, Uint8Array], void, void> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) {
      yield [field, reader.bytes()];
    } else {
      reader.skip(wireType, field);
    }
  }
}

/** A registry as a strict client builds it: each import must be there, and each type resolve. */
function registryOf(files: readonly FileDescriptorProto[]): FileRegistry {
  const byName = new Map(files.map((file) => [file.name, file]));
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto | undefined): void => {
    if (file === undefined) {
      return;
    }
    for (const dependency of file.dependency) {
      add(byName.get(dependency));
    }
    ordered.add(file);
  };
  for (const file of files) {
    add(file);
  }
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] }));
}

test.each(VERSIONS)("reflection %s lists the services that are offered", async (version) => {
  const answer = await ask(version, LIST_SERVICES, "*");
  const services = [...fieldsOf(answer.get(LIST_SERVICES_RESPONSE) ?? new Uint8Array())];
  const names = services.flatMap(([, service]) => [...fieldsOf(service)].map(([, name]) => name));
  expect(names.map((name) => Buffer.from(name).toString()).toSorted()).toEqual([
    "multipooler.v1.MultiPoolerConsensus",
    "multipooler.v1.MultiPoolerManager",
    "multipoolerservice.MultipoolerService",
  ]);
});

test.each(
  VERSIONS.flatMap((version) => [
    [version, "multipooler.v1.MultiPoolerManager", MANAGER_METHODS] as const,
    [version, "multipoolerservice.MultipoolerService", 12] as const,
  ]),
)("reflection %s describes %s completely", async (version, service, methods) => {
  const answer = await ask(version, FILE_CONTAINING_SYMBOL, service);
  const files = [...fieldsOf(answer.get(FILE_DESCRIPTOR_RESPONSE) ?? new Uint8Array())];
  const registry = registryOf(files.map(([, file]) => fromBinary(FileDescriptorProtoSchema, file)));
  expect(registry.getService(service)?.methods).toHaveLength(methods);
});

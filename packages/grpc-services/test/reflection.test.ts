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
const FILE_BY_FILENAME = 3;
const FILE_CONTAINING_SYMBOL = 4;
const ALL_EXTENSION_NUMBERS_OF_TYPE = 6;
const LIST_SERVICES = 7;
const FILE_DESCRIPTOR_RESPONSE = 4;
const EXTENSION_NUMBERS_RESPONSE = 5;
const LIST_SERVICES_RESPONSE = 6;
const ERROR_RESPONSE = 7;

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
    [version, "grpc.health.v1.Health", 3] as const,
  ]),
)("reflection %s describes %s completely", async (version, service, methods) => {
  const answer = await ask(version, FILE_CONTAINING_SYMBOL, service);
  const files = [...fieldsOf(answer.get(FILE_DESCRIPTOR_RESPONSE) ?? new Uint8Array())];
  const registry = registryOf(files.map(([, file]) => fromBinary(FileDescriptorProtoSchema, file)));
  expect(registry.getService(service)?.methods).toHaveLength(methods);
});

/** The names of the files of an answer. */
async function filesOf(field: number, text: string): Promise<readonly string[]> {
  const answer = await ask("v1", field, text);
  const files = [...fieldsOf(answer.get(FILE_DESCRIPTOR_RESPONSE) ?? new Uint8Array())];
  return files.map(([, file]) => fromBinary(FileDescriptorProtoSchema, file).name);
}

test.each([
  ["a message", "query.Target", "multigres/query.proto"],
  ["a field", "query.Target.mode", "multigres/query.proto"],
  ["an enum", "query.Mode", "multigres/query.proto"],
  ["a value of an enum", "query.MODE_WRITABLE", "multigres/query.proto"],
  [
    "a value of an enum in a message",
    "grpc.health.v1.HealthCheckResponse.NOT_SERVING",
    "grpc/health/v1/health.proto",
  ],
  ["a method", "grpc.health.v1.Health.Watch", "grpc/health/v1/health.proto"],
])("reflection finds the file of %s", async (_, symbol, file) => {
  expect((await filesOf(FILE_CONTAINING_SYMBOL, symbol))[0]).toBe(file);
});

test("reflection answers a file with all that it imports", async () => {
  expect((await filesOf(FILE_BY_FILENAME, "google/rpc/status.proto")).toSorted()).toEqual([
    "google/protobuf/any.proto",
    "google/rpc/status.proto",
  ]);
});

test("no message of the contract has extensions", async () => {
  const answer = await ask("v1", ALL_EXTENSION_NUMBERS_OF_TYPE, "query.Target");
  const response = [...fieldsOf(answer.get(EXTENSION_NUMBERS_RESPONSE) ?? new Uint8Array())];
  expect(response.map(([, bytes]) => Buffer.from(bytes).toString())).toEqual(["query.Target"]);
});

test.each([
  [FILE_BY_FILENAME, "nothing.proto"],
  [FILE_CONTAINING_SYMBOL, "query.Nothing"],
  [FILE_CONTAINING_SYMBOL, "query.Target.nothing"],
  [FILE_CONTAINING_SYMBOL, ""],
  [ALL_EXTENSION_NUMBERS_OF_TYPE, "query.Nothing"],
])("what is not declared is an error of the request (field %d, %j)", async (field, text) => {
  const answer = await ask("v1", field, text);
  const error = [...fieldsOf(answer.get(ERROR_RESPONSE) ?? new Uint8Array())];
  expect(error.map(([, bytes]) => Buffer.from(bytes).toString()).join()).toMatch(
    /declared|no mess/,
  );
});

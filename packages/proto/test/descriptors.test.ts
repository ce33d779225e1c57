import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { fileDescriptorSet } from "../src/gen/descriptors.ts";
import { MultipoolerServiceDefinition } from "../src/gen/multigres/multipoolerservice.ts";
import { MultiPoolerManagerDefinition } from "../src/gen/multipooler/v1/manager.ts";

const set = fromBinary(FileDescriptorSetSchema, fileDescriptorSet);

test.each([
  [MultipoolerServiceDefinition.fullName, Object.keys(MultipoolerServiceDefinition.methods)],
  [MultiPoolerManagerDefinition.fullName, Object.keys(MultiPoolerManagerDefinition.methods)],
])("%s is described as it is generated", (fullName, methods) => {
  const described = createFileRegistry(set).getService(fullName);
  expect(described?.methods.map((method) => method.localName)).toEqual(methods);
});

test("each file comes after those that it imports, and without source comments", () => {
  const seen = new Set<string>();
  for (const file of set.file) {
    for (const dependency of file.dependency) {
      expect(seen).toContain(dependency);
    }
    expect(file.sourceCodeInfo).toBeUndefined();
    seen.add(file.name);
  }
  expect(seen).toContain("multipooler/v1/manager.proto");
});

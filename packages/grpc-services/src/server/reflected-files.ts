import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescFile, FileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "@multipooler/proto/reflection-v1";

/** gRPC's status codes of an answer that is an error. The stream goes on behind it. */
const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

type Answer = ServerReflectionResponse["messageResponse"];

/** The files of a descriptor set, and the answers that server reflection has for them. */
export class ReflectedFiles {
  readonly #registry: FileRegistry;
  readonly #services: readonly string[];

  /**
   * @param descriptorSet a serialized google.protobuf.FileDescriptorSet
   * @param services the full names of the services to list
   */
  constructor(descriptorSet: Uint8Array, services: readonly string[]) {
    this.#registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
    this.#services = services;
  }

  readonly answer = (request: ServerReflectionRequest): ServerReflectionResponse => ({
    validHost: request.host,
    originalRequest: request,
    messageResponse: this.#answerTo(request.messageRequest),
  });

  #answerTo(question: ServerReflectionRequest["messageRequest"]): Answer {
    switch (question?.$case) {
      case "listServices":
        return {
          $case: "listServicesResponse",
          value: { service: this.#services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return fileAnswer(this.#registry.getFile(question.value), question.value);
      case "fileContainingSymbol":
        return fileAnswer(this.#declaring(question.value), question.value);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const extension = this.#extensions(containingType).find(
          ({ number }) => number === extensionNumber,
        );
        return fileAnswer(extension?.file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType":
        return this.#extensionNumbers(question.value);
      case undefined:
        return errorAnswer(INVALID_ARGUMENT, "the request asks for nothing that is known here");
    }
  }

  /** A registry knows types and services by name; what is in them is declared where they are. */
  #declaring(symbol: string): DescFile | undefined {
    const declared = this.#registry.get(symbol);
    if (declared !== undefined) {
      return declared.file;
    }
    return [...this.#registry].find((type) => membersOf(type).includes(symbol))?.file;
  }

  #extensions(message: string): readonly { readonly number: number; readonly file: DescFile }[] {
    return [...this.#registry].flatMap((type) =>
      type.kind === "extension" && type.extendee.typeName === message ? [type] : [],
    );
  }

  #extensionNumbers(message: string): Answer {
    return this.#registry.getMessage(message) === undefined
      ? errorAnswer(NOT_FOUND, `there is no message ${message}`)
      : {
          $case: "allExtensionNumbersResponse",
          value: {
            baseTypeName: message,
            extensionNumber: this.#extensions(message).map(({ number }) => number),
          },
        };
  }
}

function membersOf(type: NonNullable<ReturnType<FileRegistry["get"]>>): readonly string[] {
  switch (type.kind) {
    case "message":
      return [...type.fields, ...type.oneofs].map(({ name }) => `${type.typeName}.${name}`);
    case "service":
      return type.methods.map(({ name }) => `${type.typeName}.${name}`);
    case "enum": {
      // Values are named beside their enum, not in it.
      const scope = type.typeName.slice(0, type.typeName.lastIndexOf("."));
      return type.values.map(({ name }) => `${scope}.${name}`);
    }
    case "extension":
      return [];
  }
}

/** A file with all that it imports: strict clients such as grpcurl resolve every type. */
function fileAnswer(file: DescFile | undefined, wanted: string): Answer {
  if (file === undefined) {
    return errorAnswer(NOT_FOUND, `${wanted} is not declared here`);
  }
  const files = new Set([file]);
  // A set's iteration reaches what is added meanwhile.
  for (const { dependencies } of files) {
    for (const dependency of dependencies) {
      files.add(dependency);
    }
  }
  return {
    $case: "fileDescriptorResponse",
    value: {
      fileDescriptorProto: [...files].map(({ proto }) =>
        toBinary(FileDescriptorProtoSchema, proto),
      ),
    },
  };
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}

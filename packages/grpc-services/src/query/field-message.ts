import type { Field } from "@multipooler/query-service";
import type { Field as FieldMessage } from "@multipooler/proto/query";
import { typeName } from "./type-name.ts";

/** The columns of a result as the wire carries them. */
export function fieldMessages(fields: readonly Field[]): FieldMessage[] {
  return fields.map((field) => ({
    name: field.name,
    type: typeName(field.dataTypeOid),
    tableOid: field.tableOid,
    tableAttributeNumber: field.tableAttributeNumber,
    dataTypeOid: field.dataTypeOid,
    dataTypeSize: field.dataTypeSize,
    typeModifier: field.typeModifier,
    format: field.format,
  }));
}

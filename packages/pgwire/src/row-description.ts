/** One column of a result, as RowDescription tells it. */
export interface Field {
  readonly name: string;
  readonly tableOid: number;
  readonly tableAttributeNumber: number;
  readonly dataTypeOid: number;
  /** Bytes, or negative for a type of variable width. */
  readonly dataTypeSize: number;
  readonly typeModifier: number;
  /** 0 text, 1 binary. */
  readonly format: number;
}

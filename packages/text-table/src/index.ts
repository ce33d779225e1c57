export { printable, printableJson } from "./printable.ts";
export {
  columnWidths,
  filled,
  tableLines,
  tableText,
  type Alignment,
  type TableOptions,
} from "./text-table.ts";

/** Version 3.0 as the start-up message carries it: major in the high half, minor in the low. */
export const PROTOCOL_VERSION = 0x0003_0000;

/** Takes the place of the version in a CancelRequest. */
export const CANCEL_REQUEST_CODE = 80_877_102;

/** The type byte and the length of a message. The length counts itself, but not the type byte. */
export const HEADER_BYTES = 5;

/**
 * First byte of each message from the server that this package understands.
 *
 * @see https://www.postgresql.org/docs/17/protocol-message-formats.html
 */
export const BackendMessage = {
  Authentication: 0x52, // R
  BackendKeyData: 0x4b, // K
  BindComplete: 0x32, // 2
  CloseComplete: 0x33, // 3
  CommandComplete: 0x43, // C
  CopyBothResponse: 0x57, // W
  CopyData: 0x64, // d
  CopyDone: 0x63, // c
  CopyInResponse: 0x47, // G
  CopyOutResponse: 0x48, // H
  DataRow: 0x44, // D
  EmptyQueryResponse: 0x49, // I
  ErrorResponse: 0x45, // E
  NegotiateProtocolVersion: 0x76, // v
  NoData: 0x6e, // n
  NoticeResponse: 0x4e, // N
  NotificationResponse: 0x41, // A
  ParameterDescription: 0x74, // t
  ParameterStatus: 0x53, // S
  ParseComplete: 0x31, // 1
  PortalSuspended: 0x73, // s
  ReadyForQuery: 0x5a, // Z
  RowDescription: 0x54, // T
} as const;

/** A message type for an error text: `'D'`, or `0x07` if it cannot be printed. */
export function messageTypeName(code: number): string {
  return code > 0x20 && code < 0x7f
    ? `'${String.fromCharCode(code)}'`
    : `0x${code.toString(16).padStart(2, "0")}`;
}

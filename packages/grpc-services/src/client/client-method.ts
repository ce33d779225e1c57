/** The path of a method and the codec of its messages. */
export interface ClientMethod<Request, Response> {
  readonly path: string;
  encode(request: Request): Buffer;
  decode(bytes: Buffer): Response;
}

interface GenericMethod<Request, Response> {
  readonly name: string;
  readonly requestType: { encode(request: Request): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): Response };
}

/** A method of ts-proto's generic definitions, seen from a client. */
export function clientMethod<Request, Response>(
  service: { readonly fullName: string },
  { name, requestType, responseType }: GenericMethod<Request, Response>,
): ClientMethod<Request, Response> {
  return {
    path: `/${service.fullName}/${name}`,
    encode: (request) => Buffer.from(requestType.encode(request).finish()),
    decode: (bytes) => responseType.decode(bytes),
  };
}

// Requests to an object store that clients of the catalog make themselves, signed for them one by one: they reach the files of a
// table that they may have, and never hold credentials. Who may is decided by the caller of this.

export interface AskedRequest {
  readonly method: string
  readonly uri: string
  readonly headers: Readonly<Record<string, readonly string[]>>
}

export interface RequestSigner {
  /** What the URIs that it serves begin with. */
  readonly prefix: string
  /** What a client must know of the store, by Iceberg's names of properties. */
  readonly properties: Readonly<Record<string, string>>
  /** What a request is about: an object or a directory that is listed; null for any other request, which is not to be signed. */
  placeOf(request: AskedRequest): { readonly path: string; readonly isWrite: boolean } | null
  /** The request to send instead, with the headers to add. */
  sign(request: AskedRequest): Promise<{ readonly uri: string; readonly headers: Readonly<Record<string, readonly string[]>> }>
}

// What checkpoints give back of typed arrays.

/** Little-endian bytes. Checkpoints of before had base64 text. */
export type Packed = Uint8Array | string

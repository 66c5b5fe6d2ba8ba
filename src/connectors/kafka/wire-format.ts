// What stands before the data in messages of a schema registry: a zero byte and the id of the schema in four bytes, big end first. In
// Protobuf then follows which message of the schema's file it is. Pure. Source: Confluent's wire format.
import { Undecodable } from './decoder.ts'

const HEAD_BYTES = 5

/** Null where bytes do not begin as messages of a registry do. */
export const schemaIdOf = (bytes: Uint8Array): number | null =>
  bytes.length >= HEAD_BYTES && bytes[0] === 0 ? bufferOf(bytes, 1).readUInt32BE(0) : null

/** What stands behind the id. */
export const bodyOf = (bytes: Uint8Array): Buffer => bufferOf(bytes, HEAD_BYTES)

export function headOf(id: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32BE(id, 1)
  return head
}

const bufferOf = (bytes: Uint8Array, from: number): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset + from, bytes.byteLength - from)

/** Of a message in its file: its place among the messages, then among those inside of that one, and so on. Counted from 0. */
export type MessagePath = readonly number[]

/** As zig-zag varints: how many numbers, and these. The first message of the file, which is the usual one, is a zero alone. */
export const pathBytes = (path: MessagePath): Buffer =>
  Buffer.from(path.length === 1 && path[0] === 0 ? [0] : [path.length, ...path].flatMap(varint))

/** From the beginning of a body; `end`: where the message begins. @throws Undecodable */
export function readPath(body: Uint8Array): { readonly path: MessagePath; readonly end: number } {
  let at = 0
  const next = (): number => {
    let bits = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = body[at++]
      if (byte === undefined) break
      bits |= (byte & 0x7f) << shift
      if (byte < 0x80) return (bits >>> 1) ^ -(bits & 1)
    }
    throw new Undecodable('the message does not say which one of its schema it is')
  }
  const count = next()
  if (count === 0) return { path: [0], end: at }
  if (count < 0 || count > body.length) throw new Undecodable(`the message says that its name has ${count} parts`)
  return { path: Array.from({ length: count }, next), end: at }
}

/** Of a number that is not negative. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80)
  return [...bytes, rest]
}

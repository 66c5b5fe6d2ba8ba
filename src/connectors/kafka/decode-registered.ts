// Messages of a schema registry: each is read by the schema whose id it begins with, which is asked for before.
import { type Decoder, Undecodable } from './decoder.ts'
import { bodyOf, schemaIdOf } from './wire-format.ts'

/** Reads what stands behind the id, by one schema. @throws Undecodable */
export type ReadBody = (body: Buffer) => string

/** `open`: the reader of a schema, null where the registry has none of this id; one that is found is kept. */
export function registeredDecoder(open: (id: number) => Promise<ReadBody | null>): Decoder {
  const known = new Map<number, ReadBody | null>()
  return {
    async prepare(values) {
      for (const id of new Set(values.flatMap((value) => schemaIdOf(value) ?? []))) if (!known.get(id)) known.set(id, await open(id))
    },
    line(value) {
      const read = known.get(idIn(value))
      if (!read) throw new Undecodable(`the registry has no schema ${idIn(value)}`)
      return read(bodyOf(value))
    },
  }
}

/** Messages that say all by themselves: the id is taken off, and the registry not asked. */
export const withoutId = ({ line }: Decoder): Decoder => ({
  line(value) {
    idIn(value)
    return line(bodyOf(value))
  },
})

/** @throws Undecodable */
function idIn(value: Uint8Array): number {
  const id = schemaIdOf(value)
  if (id === null) throw new Undecodable('the message does not begin with a zero byte and the id of a schema')
  return id
}

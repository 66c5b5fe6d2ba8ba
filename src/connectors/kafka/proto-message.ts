// A message of a .proto file, as the package protobufjs knows it: with the names of fields as the file has them.
import type { Type as ProtoType } from 'protobufjs'
import { MillraceError } from '../../core/errors.ts'
import { optional } from '../../core/optional.ts'

type Protobuf = typeof import('protobufjs')

/** One for each of the messages that stand for values, by their full names; `wrapper`: of `Int64Value` and the like. */
export const wellKnown = <T>(of: { timestamp: T; struct: T; value: T; list: T; wrapper: T }): Readonly<Record<string, T>> => ({
  '.google.protobuf.Timestamp': of.timestamp,
  '.google.protobuf.Struct': of.struct,
  '.google.protobuf.Value': of.value,
  '.google.protobuf.ListValue': of.list,
  ...Object.fromEntries(WRAPPED.map((name) => [`.google.protobuf.${name}Value`, of.wrapper])),
})

const WRAPPED = ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes']

/** `path`: absolute. @throws MR_PACKAGE_MISSING; MR_KAFKA_SCHEMA when the file or the message is not there. */
export async function loadMessage(path: string, message: string): Promise<ProtoType> {
  const module = await optional<Protobuf & { readonly default?: Protobuf }>('protobufjs', 'messages of Protobuf')
  const protobuf = module.default ?? module
  try {
    const root = await new protobuf.Root().load(path, { keepCase: true })
    const type = root.lookupType(message)
    root.resolveAll()
    return type
  } catch (cause) {
    throw new MillraceError('MR_KAFKA_SCHEMA', `the Protobuf message ${message} of ${path} cannot be used: ${(cause as Error).message}`, {
      cause,
      fix: 'correct the file, or the full name of the message',
    })
  }
}

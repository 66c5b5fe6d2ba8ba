// A message of a .proto file, as the package protobufjs knows it: with the names of fields as the file has them.
import { createRequire } from 'node:module'
import type { Type as ProtoType } from 'protobufjs'
import { MillraceError } from '../../core/errors.ts'
import { optional } from '../../core/optional.ts'

export type Protobuf = typeof import('protobufjs')

/** One for each of the messages that stand for values, by their full names; `wrapper`: of `Int64Value` and the like. */
export const wellKnown = <T>(of: { timestamp: T; struct: T; value: T; list: T; wrapper: T }): Readonly<Record<string, T>> => ({
  '.google.protobuf.Timestamp': of.timestamp,
  '.google.protobuf.Struct': of.struct,
  '.google.protobuf.Value': of.value,
  '.google.protobuf.ListValue': of.list,
  ...Object.fromEntries(WRAPPED.map((name) => [`.google.protobuf.${name}Value`, of.wrapper])),
})

const WRAPPED = ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes']

/** Names of fields as files have them. */
export const KEEP = { keepCase: true } as const

/** @throws MR_PACKAGE_MISSING */
export async function loadProtobuf(): Promise<Protobuf> {
  const module = await optional<Protobuf & { readonly default?: Protobuf }>('protobufjs', 'messages of Protobuf')
  const protobuf = module.default ?? module
  // What files that declare options extend: the package has it and does not know it by itself.
  if (!protobuf.common.get(DESCRIPTOR))
    protobuf.common(DESCRIPTOR, createRequire(import.meta.url)('protobufjs/google/protobuf/descriptor.json'))
  return protobuf
}

const DESCRIPTOR = 'google/protobuf/descriptor.proto'

/** A message of a .proto file of the project. */
export interface MessageOfFile {
  /** Absolute. */
  readonly path: string
  /** Full name. */
  readonly message: string
}

/** @throws MR_PACKAGE_MISSING; MR_KAFKA_SCHEMA when the file or the message is not there. */
export async function loadMessage({ path, message }: MessageOfFile): Promise<ProtoType> {
  const protobuf = await loadProtobuf()
  try {
    const root = await new protobuf.Root().load(path, KEEP)
    const type = root.lookupType(message)
    root.resolveAll()
    return type
  } catch (cause) {
    throw unusable(`the Protobuf message ${message} of ${path}`, cause, 'correct the file, or the full name of the message')
  }
}

export const nameOf = ({ fullName }: ProtoType): string => fullName.slice(1)

export const unusable = (what: string, cause: unknown, fix: string): MillraceError =>
  new MillraceError('MR_KAFKA_SCHEMA', `${what} cannot be used: ${(cause as Error).message}`, { cause, fix })

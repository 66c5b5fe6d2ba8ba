// What a .proto file says by itself: which files it imports, and where its messages stand in it; and the files of a project that one
// needs. Source: Protocol Buffers language guide, "Importing Definitions".
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import { KEEP, loadProtobuf, type Protobuf, unusable } from './proto-message.ts'
import type { MessagePath } from './wire-format.ts'

export interface ProtoSource {
  readonly text: string
  /** Names of files, without those that everybody has with Protobuf itself. */
  readonly imports: readonly string[]
  /** By full name. */
  readonly messages: ReadonlyMap<string, MessagePath>
}

/** `what`: of errors. @throws MR_KAFKA_SCHEMA */
export function readSource(protobuf: Protobuf, text: string, what: string): ProtoSource {
  try {
    const { root, package: name, imports = [], weakImports = [] } = protobuf.parse(text, KEEP)
    const messages = new Map<string, MessagePath>()
    const walk = (space: object | null, path: MessagePath): void => {
      if (!(space instanceof protobuf.Namespace)) return
      for (const [index, type] of space.nestedArray.filter((one) => one instanceof protobuf.Type).entries()) {
        messages.set(type.fullName.slice(1), [...path, index])
        walk(type, [...path, index])
      }
    }
    walk(name === undefined ? root : root.lookup(name), [])
    return { text, imports: [...imports, ...weakImports].filter((one) => !bundled(protobuf, one)), messages }
  } catch (cause) {
    throw unusable(what, cause, 'have it be a file that protoc takes')
  }
}

/** A file that comes with Protobuf itself, as the package has it. */
export const bundled = ({ common }: Protobuf, name: string): ReturnType<Protobuf['common']['get']> =>
  name.startsWith('google/protobuf/') ? common.get(name) : null

export interface NamedSource extends ProtoSource {
  /** As others import it. */
  readonly name: string
}

/**
 * A file of a project and before it all that it imports, each behind what it imports itself. `path`: absolute; imports are relative to the
 * importing file. @throws MR_PACKAGE_MISSING; MR_KAFKA_SCHEMA where one cannot be read, or its name does not say which file is meant.
 */
export async function projectSources(path: string): Promise<readonly NamedSource[]> {
  const protobuf = await loadProtobuf()
  const sources: NamedSource[] = []
  const paths = new Map<string, string>()
  const add = async (name: string, own: string): Promise<void> => {
    const known = paths.get(name)
    if (known === own) return
    if (known !== undefined) throw ambiguous(name, `it is ${known} and ${own}`)
    paths.set(name, own)
    const source = readSource(protobuf, await textOf(own), `the Protobuf file ${own}`)
    for (const one of source.imports) {
      if (one.split('/').some((part) => part === '.' || part === '..')) throw ambiguous(one, `it depends on where ${own} lies`)
      await add(one, resolve(dirname(own), one))
    }
    sources.push({ name, ...source })
  }
  await add(path, path)
  return sources
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw unusable(`the Protobuf file ${path}`, cause, 'correct the import')
  }
}

const ambiguous = (name: string, why: string): MillraceError =>
  new MillraceError('MR_KAFKA_SCHEMA', `a registry cannot tell which file the import "${name}" is: ${why}`, {
    fix: 'import each file by one name, without . and .., or write without a registry',
  })

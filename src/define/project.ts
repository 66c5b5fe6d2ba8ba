// `project`: the values that make up a project, and the environments that it runs in. It is the default export of the
// entry file; nothing registers itself.
import { type Definition, isDefinition } from './definition.ts'
import type { LakeSettings } from './lake.ts'
import { placeOf } from './place.ts'

/** Everything in one process. */
export interface EmbeddedEnvironment {
  readonly $environment: 'embedded'
  readonly lake?: LakeSettings
}

export interface EmbeddedHow {
  /** Where tables lie. Default: in the data directory. */
  readonly lake?: LakeSettings
}

export const embedded = (how: EmbeddedHow = {}): EmbeddedEnvironment => Object.freeze({ $environment: 'embedded', ...how })

/** A definition with the name under which its module exports it. */
export interface Member {
  readonly definition: Definition
  /** Absent for definitions given in a list. */
  readonly exportName?: string
}

export interface Project extends Definition<'project'> {
  readonly $members: readonly Member[]
  readonly $environments: Readonly<Record<string, EmbeddedEnvironment>>
}

export interface ProjectHow {
  /** Default: `{ dev: embedded() }`. */
  readonly environments?: Readonly<Record<string, EmbeddedEnvironment>>
}

/**
 * A project. `modules` are modules (`import * as streams from './streams.ts'`), definitions, or lists of them; exports
 * that are no definitions are left alone, and a definition that is given twice counts once.
 */
export function project(name: string, modules: readonly object[], how: ProjectHow = {}): Project {
  const members = new Map<Definition, Member>()
  for (const module of modules)
    for (const member of membersOf(module)) if (!members.has(member.definition)) members.set(member.definition, member)
  return Object.freeze({
    $kind: 'project',
    $name: name,
    $at: placeOf(project),
    $members: Object.freeze([...members.values()]),
    $environments: Object.freeze(how.environments ?? { dev: embedded() }),
  })
}

export const isProject = (value: unknown): value is Project => isDefinition(value) && value.$kind === 'project'

function membersOf(module: unknown, exportName?: string): readonly Member[] {
  if (isDefinition(module)) return module.$kind === 'project' ? [] : [{ definition: module, ...(exportName ? { exportName } : {}) }]
  if (Array.isArray(module)) return module.flatMap((value) => membersOf(value))
  if (exportName !== undefined || typeof module !== 'object' || module === null) return []
  return Object.entries(module).flatMap(([name, value]) => membersOf(value, name))
}

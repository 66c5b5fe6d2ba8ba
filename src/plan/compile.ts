// Definitions to manifest: a project's values become plain JSON, and everything that is wrong with them a list of
// findings. Pure but for the binder, which asks an SQL engine about empty relations, and for .proto files that sinks write by. User
// functions are not called, except the ones that describe SQL and row rules.
import type { Definition } from '../define/definition.ts'
import type { Manifest, ProcessorManifest, Relation } from '../define/manifest.ts'
import type { Project } from '../define/project.ts'
import { archiveName, lateName, lateShape, liveShape, REJECTED_SHAPE, rejectedName, storedShape } from '../define/system-columns.ts'
import type { Shape } from '../schema/type.ts'
import type { Binder } from './binder.ts'
import { type Finding, hasErrors } from './finding.ts'
import { compileGrants, compileMasks, compilePolicies, compileRoles } from './kinds/access.ts'
import { compileChecks } from './kinds/checks.ts'
import { compileDashboards } from './kinds/dashboard.ts'
import { compileEndpoints } from './kinds/endpoint.ts'
import { originsOf } from './kinds/fields.ts'
import { compileAlerts, compileJobs } from './kinds/job.ts'
import { compileModel, type ModelDefinition } from './kinds/model.ts'
import { compileProcessor } from './kinds/processor.ts'
import { ownerOf, type Query, readSql } from './kinds/query.ts'
import { compileSinks } from './kinds/sink.ts'
import { compileStream, isProcessor, type StreamDefinition } from './kinds/stream.ts'
import { compileTable, type TableDefinition } from './kinds/table.ts'
import { checkNames, isRelationName } from './names.ts'
import { orderRelations } from './order.ts'
import { fail, isMember, placeIn, type Scope, warn } from './scope.ts'

export interface CompileOptions {
  /** Directory of the project: places in the manifest are relative to it. */
  readonly root?: string
  /** Relations of Millrace itself that SQL may read, such as `millrace.runs`. */
  readonly system?: readonly { readonly name: string; readonly shape: Shape }[]
  /** What the project's files export, to find definitions that were forgotten. */
  readonly exported?: readonly { readonly exportName: string; readonly definition: Definition }[]
}

export interface Compiled {
  /** Complete when there are no errors; otherwise what could be compiled. */
  readonly manifest: Manifest
  readonly findings: readonly Finding[]
  readonly ok: boolean
}

type RelationDefinition = StreamDefinition | TableDefinition | ModelDefinition

const isRelation = (definition: Definition): definition is RelationDefinition => ['stream', 'table', 'model'].includes(definition.$kind)

/** Compiles a project. Findings come in the order of files and lines. */
export async function compile(project: Project, binder: Binder, options: CompileOptions = {}): Promise<Compiled> {
  const scope = await openScope(project, binder, options)
  checkNames(scope)
  const processors = await compileRelations(scope)
  const roles = await compileRoles(scope)
  const sinks = await compileSinks(scope)
  const manifest: Manifest = {
    version: 1,
    project: project.$name,
    relations: [...scope.relations.values()],
    processors,
    checks: await compileChecks(scope),
    roles,
    grants: compileGrants(scope),
    policies: compilePolicies(scope, roles),
    masks: compileMasks(scope),
    endpoints: await compileEndpoints(scope),
    jobs: compileJobs(scope),
    alerts: await compileAlerts(scope),
    dashboards: await compileDashboards(scope),
    ...(sinks.length > 0 ? { sinks } : {}),
  }
  warnForgotten(scope, options.exported ?? [])
  const findings = scope.findings.toSorted(byPlace)
  return { manifest, findings, ok: !hasErrors(findings) }
}

async function openScope(project: Project, binder: Binder, options: CompileOptions): Promise<Scope> {
  const relations = project.$members.map(({ definition }) => definition).filter(isRelation)
  const scope: Scope = {
    project,
    binder,
    root: options.root ?? '',
    findings: [],
    defined: new Map(relations.map((definition) => [definition.$name, definition])),
    relations: new Map(),
    shapes: new Map(),
  }
  for (const { name, shape } of options.system ?? []) await makeKnown(scope, name, shape)
  return scope
}

async function makeKnown(scope: Scope, name: string, shape: Shape): Promise<void> {
  scope.shapes.set(name, shape)
  await scope.binder.define(name, shape)
}

async function compileRelations(scope: Scope): Promise<readonly ProcessorManifest[]> {
  const definitions = scope.defined as ReadonlyMap<string, RelationDefinition>
  const queries = new Map<string, Query>()
  for (const definition of definitions.values()) {
    const query = definition.$kind === 'model' ? await readSql(scope, `model "${definition.$name}"`, definition.$sql, 'inline') : undefined
    if (query) queries.set(definition.$name, query)
  }
  const edges = new Map([...definitions].map(([name, definition]) => [name, inputsOf(definition, queries.get(name))]))
  const processors: ProcessorManifest[] = []
  for (const name of orderRelations(scope, edges)) {
    const definition = definitions.get(name)!
    const relation = await compileRelation(scope, definition, queries.get(name))
    if (relation && isRelationName(name))
      await addRelation(scope, inheritEncryption(scope, definition, relation, readsOf(definition, queries.get(name))))
    if (definition.$kind === 'stream' && isProcessor(definition.$how)) {
      if (!isMember(scope, definition.$how.from, definition.$at, `processor "${name}", from`)) continue
      const processor = compileProcessor(scope, definition, definition.$how)
      if (processor) processors.push(processor)
    }
  }
  checkEmitted(scope, processors)
  return processors
}

/** Rows that were computed from encrypted ones are encrypted, unless their definition says otherwise. */
function inheritEncryption(
  scope: Scope,
  { $how }: Definition & { readonly $how: unknown },
  relation: Relation,
  inputs: readonly string[],
): Relation {
  const said = ($how as { readonly encrypted?: unknown }).encrypted
  if (said !== undefined || !inputs.some((input) => scope.relations.get(input)?.encrypted)) return relation
  return { ...relation, encrypted: true }
}

/** A stream that processors emit into is defined apart from them: it says for itself. */
function checkEmitted(scope: Scope, processors: readonly ProcessorManifest[]): void {
  for (const { name, outputs = {} } of processors)
    for (const output of Object.values(outputs)) {
      const own = scope.defined.get(output) as RelationDefinition | undefined
      const said = (own?.$how as { readonly encrypted?: boolean } | undefined)?.encrypted
      if (own && said === undefined && scope.relations.get(name)?.encrypted)
        fail(
          scope,
          'MR_DEFINE_VALUE',
          own.$at,
          `stream "${output}" takes rows of the encrypted processor "${name}" and does not say whether it is encrypted`,
          'write encrypted: true, or encrypted: false where its rows may lie in the clear',
        )
    }
}

const inputsOf = (definition: RelationDefinition, query: Query | undefined): readonly string[] =>
  definition.$kind === 'model' ? readsOf(definition, query) : [...readsOf(definition, query), ...originsOf(definition.$shape)]

/** Relations whose rows it is made from. */
function readsOf(definition: RelationDefinition, query: Query | undefined): readonly string[] {
  if (definition.$kind === 'model') return (query?.inputs ?? []).map(ownerOf)
  const how = definition.$kind === 'stream' && isProcessor(definition.$how) ? definition.$how : null
  return how ? [how.from?.$name ?? '', ...Object.values(how.broadcast ?? {}).map((table) => table?.$name ?? '')] : []
}

async function compileRelation(scope: Scope, definition: RelationDefinition, query: Query | undefined): Promise<Relation | undefined> {
  switch (definition.$kind) {
    case 'stream':
      return compileStream(scope, definition)
    case 'table':
      return compileTable(scope, definition)
    case 'model':
      return query && compileModel(scope, definition, query)
  }
}

async function addRelation(scope: Scope, relation: Relation): Promise<void> {
  scope.relations.set(relation.name, relation)
  await makeKnown(scope, relation.name, liveShape(relation) ?? storedShape(relation))
  if (relation.kind === 'stream') await makeKnown(scope, lateName(relation.name), lateShape(relation))
  if (relation.keep.archive !== undefined) await makeKnown(scope, archiveName(relation.name), storedShape(relation))
  const isLive = relation.kind === 'model' && relation.refresh === 'live'
  if (isLive || relation.kind === 'stream' || (relation.kind === 'table' && relation.source.kind !== 'none'))
    await makeKnown(scope, rejectedName(relation.name), REJECTED_SHAPE)
}

function warnForgotten(scope: Scope, exported: NonNullable<CompileOptions['exported']>): void {
  const members = new Set(scope.project.$members.map(({ definition }) => definition))
  for (const { exportName, definition } of exported) {
    if (members.has(definition) || definition.$kind === 'project' || '$alias' in definition) continue
    const what = `${definition.$kind} "${definition.$name}" is exported (${exportName}) but not part of the project`
    warn(scope, 'MR_PLAN_UNKNOWN', definition.$at, what, `give its module to project('${scope.project.$name}', [...])`)
  }
  if (scope.project.$members.length === 0)
    fail(
      scope,
      'MR_LOAD_NO_PROJECT',
      scope.project.$at,
      `project "${scope.project.$name}" (${placeIn(scope.root, scope.project.$at)}) defines nothing`,
      "write project('name', [streams, models, ...])",
    )
}

function byPlace(a: Finding, b: Finding): number {
  const [fileA, lineA] = splitPlace(a.at)
  const [fileB, lineB] = splitPlace(b.at)
  return fileA < fileB ? -1 : fileA > fileB ? 1 : lineA - lineB
}

function splitPlace(at: string): readonly [string, number] {
  const colon = at.lastIndexOf(':')
  return [at.slice(0, colon), Number(at.slice(colon + 1))]
}

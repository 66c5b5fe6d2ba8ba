// Endpoints: the path, its parameters, and the columns of the result.
import type { Definition } from '../../define/definition.ts'
import type { EndpointHow } from '../../define/endpoint.ts'
import type { Fields } from '../../define/field.ts'
import type { EndpointManifest } from '../../define/manifest.ts'
import type { Param, Sql } from '../../define/sql.ts'
import type { Shape } from '../../schema/type.ts'
import { checkColumnNames } from '../names.ts'
import { checkOptions, fail, flatColumnIn, listOf, membersOfKind, placeIn, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'
import { roleNames } from './access.ts'
import { requireFlat, shapeOf } from './fields.ts'
import { bindSql, readSql } from './query.ts'
import { resultShape, withInstants } from './result.ts'

interface EndpointDefinition extends Definition<'endpoint'> {
  readonly $params: Fields
  readonly $how: EndpointHow<Fields>
}

const PATH = /^(\/(:[A-Za-z][A-Za-z0-9_]*|[a-z0-9][a-z0-9._-]*))+$/

export async function compileEndpoints(scope: Scope): Promise<readonly EndpointManifest[]> {
  const endpoints: EndpointManifest[] = []
  const taken = new Map<string, string>()
  for (const { definition, exportName } of membersOfKind<EndpointDefinition>(scope, 'endpoint')) {
    const compiled = await compileEndpoint(scope, definition, taken)
    if (compiled) endpoints.push(exportName === undefined ? compiled : { ...compiled, operation: exportName })
  }
  return endpoints
}

async function compileEndpoint(
  scope: Scope,
  definition: EndpointDefinition,
  taken: Map<string, string>,
): Promise<EndpointManifest | undefined> {
  const { $how: how, $at: at, $name: name } = definition
  const what = `endpoint "${name}"`
  checkOptions(scope, definition, how, ['params', 'doc', 'allow', 'live', 'page', 'sql'])
  const path = pathOf(scope, what, name, at, taken)
  const params: Shape = Object.keys(definition.$params).length > 0 ? shapeOf(scope, what, definition.$params, at) : { fields: [] }
  requireFlat(scope, `${what}, params`, params, at)
  for (const segment of path?.split('/') ?? [])
    if (segment.startsWith(':') && !params.fields.some((field) => field.name === segment.slice(1)))
      fail(
        scope,
        'MR_PLAN_ENDPOINT',
        at,
        `${what}: the parameter "${segment}" of the path is not declared`,
        `add params: { ${segment.slice(1)}: t.string() }`,
      )
  const sql = callSql(scope, what, how, params, at)
  const query = sql && (await readSql(scope, what, sql, 'bind'))
  const bound = query && (await bindSql(scope, what, query))
  const allow = roleNames(scope, how.allow, at, `${what}, allow`)
  if (!bound || path === undefined) return undefined
  const result = resultShape(scope, what, bound.columns, at)
  await checkColumnNames(scope, what, result, at, true)
  const by = listOf(how.page?.by).filter((column) => flatColumnIn(scope, result, column, at, `${what}, page`, 'MR_PLAN_ENDPOINT'))
  return {
    name,
    at: placeIn(scope.root, at),
    method: 'GET',
    path,
    ...(how.doc === undefined ? {} : { doc: how.doc }),
    params,
    sql: { text: withInstants(query.rendered.text, bound.columns, result), params: query.rendered.params },
    inputs: query.inputs,
    allow,
    live: how.live ?? false,
    result,
    ...(by.length === 0 ? {} : { page: { by, size: how.page?.size ?? 100 } }),
  }
}

/** The path, when no other endpoint answers to the same requests. */
function pathOf(scope: Scope, what: string, name: string, at: string, taken: Map<string, string>): string | undefined {
  const path = name.startsWith('GET ') ? name.slice(4) : undefined
  if (path === undefined || !PATH.test(path)) {
    fail(
      scope,
      'MR_PLAN_ENDPOINT',
      at,
      `${what}: this is not a route`,
      "write 'GET /revenue/:country': lower-case words, parameters with a colon",
    )
    return undefined
  }
  const route = path.replaceAll(/:[^/]+/g, ':')
  const other = taken.get(route)
  taken.set(route, name)
  if (other !== undefined && other !== name)
    fail(scope, 'MR_DEFINE_DUPLICATE', at, `${what} answers to the same requests as "${other}"`, 'change one of the paths')
  return path
}

function callSql(scope: Scope, what: string, how: EndpointHow<Fields>, params: Shape, at: string): Sql | undefined {
  const known = new Map(params.fields.map((field) => [field.name, field.type]))
  const given = new Proxy({} as Record<string, Param>, {
    get: (_target, name) => {
      const type = known.get(String(name))
      if (!type)
        fail(
          scope,
          'MR_PLAN_ENDPOINT',
          at,
          `${what}: the parameter "${String(name)}" is not declared`,
          didYouMean(String(name), known.keys(), `add params: { ${String(name)}: t.string() }`),
        )
      return { $param: String(name), $paramType: type ?? { kind: 'string' } }
    },
  })
  try {
    return how.sql(given)
  } catch (error) {
    fail(scope, 'MR_PLAN_ENDPOINT', at, `${what}: its sql function failed: ${(error as Error).message}`, 'return sql`SELECT ...`')
    return undefined
  }
}

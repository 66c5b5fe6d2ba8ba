// A schema registry by its HTTP interface: schemas by id or version, and schemas that are registered. What it has said once is true for
// ever. Source: Confluent's Schema Registry API, "Schemas" and "Subjects".
import { MillraceError } from '../../core/errors.ts'

export interface RegistrySettings {
  readonly url: string
  readonly username?: string
  readonly password?: string
}

/** What a registry calls kinds of schemas. */
export type SchemaType = 'AVRO' | 'PROTOBUF' | 'JSON'

export interface RegisteredSchema {
  readonly type: SchemaType
  readonly text: string
  readonly references: readonly SchemaReference[]
}

/** Another schema that one needs: `name` is what it calls it. */
export interface SchemaReference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

/** Where the schema of what is written is registered. */
export interface RegistryTarget {
  readonly client: Pick<SchemaRegistry, 'register' | 'reference'>
  readonly subject: string
}

const TIMEOUT_MS = 10_000
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'

export class SchemaRegistry {
  readonly #settings: RegistrySettings
  readonly #known = new Map<string, RegisteredSchema>()

  constructor(settings: RegistrySettings) {
    this.#settings = settings
  }

  /** Null when there is none of this id. @throws MR_KAFKA_SCHEMA, also when it is of another type */
  async schema(id: number, type: SchemaType): Promise<RegisteredSchema | null> {
    const found = await this.#found(`/schemas/ids/${id}`)
    if (found && found.type !== type) throw this.#misfit(`schema ${id}`, found.type, type)
    return found
  }

  /** @throws MR_KAFKA_SCHEMA, also when there is none or it is of another type */
  async referenced({ subject, version }: SchemaReference, type: SchemaType): Promise<RegisteredSchema> {
    const found = await this.#found(`${pathOf(subject)}/versions/${version}`)
    if (!found) throw this.#failed(`has no version ${version} of ${subject}, which a schema of it refers to`, undefined)
    if (found.type !== type) throw this.#misfit(`version ${version} of ${subject}`, found.type, type)
    return found
  }

  /** The id of a schema under a subject, which it gets now if it has none. @throws MR_KAFKA_SCHEMA */
  async register(subject: string, schema: RegisteredSchema): Promise<number> {
    const answer = await this.#ask(`${pathOf(subject)}/versions`, schema)
    return this.#number(answer, 'id', `does not register a schema for ${subject}`)
  }

  /** A schema that others refer to, registered under its name. @throws MR_KAFKA_SCHEMA */
  async reference(name: string, schema: RegisteredSchema): Promise<SchemaReference> {
    await this.register(name, schema)
    const answer = await this.#ask(pathOf(name), schema)
    return { name, subject: name, version: this.#number(answer, 'version', `does not say which version of ${name} a schema is`) }
  }

  async #found(path: string): Promise<RegisteredSchema | null> {
    const known = this.#known.get(path)
    if (known) return known
    const answer = (await this.#ask(path)) as { schema?: string; schemaType?: SchemaType; references?: SchemaReference[] } | null
    if (!answer) return null
    if (typeof answer.schema !== 'string') throw this.#failed(`answers ${path} with no schema`, undefined)
    const found = { type: answer.schemaType ?? 'AVRO', text: answer.schema, references: answer.references ?? [] }
    this.#known.set(path, found)
    return found
  }

  /** Null where there is nothing to get. */
  async #ask(path: string, schema?: RegisteredSchema): Promise<unknown> {
    const { url, username, password } = this.#settings
    const login =
      username === undefined ? {} : { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` }
    let response: Response
    let text: string
    try {
      response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
        method: schema ? 'POST' : 'GET',
        headers: { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, ...login },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(schema ? { body: bodyOf(schema) } : {}),
      })
      text = await response.text()
    } catch (cause) {
      throw this.#failed(`cannot be reached: ${(cause as Error).message}`, cause)
    }
    if (response.status === 404 && !schema) return null
    if (!response.ok) throw this.#failed(`answers ${response.status} to ${path}: ${text.slice(0, 200)}`, undefined)
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw this.#failed(`answers ${path} with what is no JSON`, cause)
    }
  }

  #number(answer: unknown, name: string, otherwise: string): number {
    const value = (answer as Readonly<Record<string, unknown>> | null)?.[name]
    if (typeof value === 'number') return value
    throw this.#failed(otherwise, undefined)
  }

  #failed(what: string, cause: unknown): MillraceError {
    return new MillraceError('MR_KAFKA_SCHEMA', `the schema registry ${this.#settings.url} ${what}`, {
      cause,
      fix: 'check its address and credentials; it is asked again',
    })
  }

  #misfit(which: string, found: SchemaType, type: SchemaType): MillraceError {
    return new MillraceError('MR_KAFKA_SCHEMA', `${which} of the schema registry ${this.#settings.url} is ${found}, and ${type} is read`, {
      fix: 'read the topic in the format that its messages have',
    })
  }
}

const pathOf = (subject: string): string => `/subjects/${encodeURIComponent(subject)}`

/** Registries of before other types than Avro know neither types nor references. */
const bodyOf = ({ type, text, references }: RegisteredSchema): string =>
  JSON.stringify({
    schema: text,
    ...(type === 'AVRO' ? {} : { schemaType: type }),
    ...(references.length > 0 ? { references } : {}),
  })

// Options that every command takes, and the directories that follow from them.
import { join, resolve } from 'node:path'

export interface CommandOptions {
  readonly project: string
  readonly data?: string
  readonly json?: boolean
}

export const projectOf = (options: CommandOptions): string => resolve(options.project)

/** `--data`, then MILLRACE_DATA, then `.millrace` in the project. */
export const dataOf = (options: CommandOptions): string =>
  resolve(options.data ?? process.env['MILLRACE_DATA'] ?? join(projectOf(options), '.millrace'))

// Optional packages, imported when first needed; absence gives an error that says what to install.
import { MillraceError } from './errors.ts'

/** The module `name`, or MR_PACKAGE_MISSING naming who needs it. */
export async function optional<T>(name: string, neededBy: string): Promise<T> {
  try {
    return (await import(name)) as T
  } catch (cause) {
    throw new MillraceError('MR_PACKAGE_MISSING', `${neededBy} needs the package ${name}`, { fix: `npm install ${name}`, cause })
  }
}

/** The module `name`, or undefined when it is not installed or does not load on this machine. */
export async function maybe<T>(name: string): Promise<T | undefined> {
  try {
    return (await import(name)) as T
  } catch {
    return undefined
  }
}

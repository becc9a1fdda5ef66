/** TypeScript of this checkout as the build makes JavaScript of it, in a folder of its own, for child processes. */
import { resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '..', '..');

/** Compiles a file and what it imports. Returns the path of the file's JavaScript. @param file from the root on */
export function compile(file: string, folder: string): string {
  const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), (name) => ts.sys.readFile(name)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, types: ['node'] }, ROOT);
  const program = ts.createProgram([resolve(ROOT, file)], { ...options, rootDir: ROOT, outDir: folder });
  const { emitSkipped } = program.emit();
  if (emitSkipped) throw new Error(`${file} was not compiled`);
  return resolve(folder, file.replace(/\.ts$/, '.js'));
}

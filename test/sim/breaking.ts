/**
 * Breaks one place of a source file, found by names in its syntax tree and not by its text: the declaration that holds
 * it, such as `ReportDecisions.open`, and the call, name, condition or cell within. Reformatting changes nothing; a
 * renamed or removed anchor is an Error.
 */
import ts from 'typescript';

/** Which node of a declaration is meant. Exactly one must match. */
export interface Place {
  told: string;
  matches(node: ts.Node, file: ts.SourceFile): boolean;
}

/** The whole call of a function or method of that name. @param mentioning a name among its arguments */
export function call(name: string, mentioning?: string): Place {
  return {
    told: `call of ${name}${mentioning === undefined ? '' : ` with ${mentioning}`}`,
    matches: (node) =>
      ts.isCallExpression(node) &&
      lastName(node.expression) === name &&
      (mentioning === undefined || node.arguments.some((argument) => mentions(argument, mentioning))),
  };
}

/** The whole statement that is a call of that name. @param mentioning a name among its arguments */
export function callStatement(name: string, mentioning?: string): Place {
  const inner = call(name, mentioning);
  return {
    told: `statement: ${inner.told}`,
    matches: (node, file) => ts.isExpressionStatement(node) && inner.matches(node.expression, file),
  };
}

/**
 * A use of that name as an operand, or in a condition or an argument; `a.name` whole. Not its declaration.
 *
 * @param owner the `a` that it must be of
 */
export function use(name: string, owner?: string): Place {
  return {
    told: `use of ${name}`,
    matches: (node) =>
      (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node)) &&
      lastName(node) === name &&
      (owner === undefined || (ts.isPropertyAccessExpression(node) && node.expression.getText() === owner)) &&
      !ts.isPropertyAccessExpression(node.parent) &&
      !isDeclared(node),
  };
}

/** A comparison (===, !==, < and the like) with that name, or with a call of it, on either side. */
export function comparison(name: string): Place {
  return {
    told: `comparison with ${name}`,
    matches: (node) => isComparison(node) && [node.left, node.right].some((side) => lastName(side) === name),
  };
}

/** That name as an operand of `||` or `&&`. */
export function operand(name: string): Place {
  return {
    told: `operand ${name}`,
    matches: (node) =>
      lastName(node as ts.Expression) === name &&
      ts.isBinaryExpression(node.parent) &&
      [ts.SyntaxKind.BarBarToken, ts.SyntaxKind.AmpersandAmpersandToken].includes(node.parent.operatorToken.kind),
  };
}

/** The condition of an `if` that mentions that name. */
export function condition(name: string): Place {
  return {
    told: `condition on ${name}`,
    matches: (node) => ts.isIfStatement(node.parent) && node.parent.expression === node && mentions(node, name),
  };
}

/** What a variable, constant or property of that name is made with. */
export function initial(name: string): Place {
  return {
    told: `value of ${name}`,
    matches: (node) =>
      (ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent)) &&
      node.parent.initializer === node &&
      node.parent.name.getText() === name,
  };
}

/** The last statement that assigns to that name. */
export function lastAssignment(name: string): Place {
  const isOne = (node: ts.Node): boolean =>
    ts.isExpressionStatement(node) &&
    ts.isBinaryExpression(node.expression) &&
    node.expression.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
    lastName(node.expression.left) === name;
  return {
    told: `last assignment to ${name}`,
    matches: (node) => {
      if (!isOne(node) || !ts.isBlock(node.parent)) return false;
      return node.parent.statements.filter(isOne).at(-1) === node;
    },
  };
}

/** The value of the only `return` that has one. */
export const returned: Place = {
  told: 'returned value',
  matches: (node) => ts.isReturnStatement(node.parent) && node.parent.expression === node,
};

/** A cell of a flat table, by the members of the two enums that number its rows and columns. */
export function cell(row: string, column: string, columns: number): Place {
  return {
    told: `cell ${row}, ${column}`,
    matches: (node, file) =>
      ts.isArrayLiteralExpression(node.parent) &&
      node.parent.elements.indexOf(node as ts.Expression) === memberOf(file, row) * columns + memberOf(file, column),
  };
}

export interface Break {
  /** `Class.method`, `Class.constructor`, a function, or a constant of the file. */
  within: string;
  place: Place;
  /** `$&` is the original text, `$1` a call's first argument. */
  becomes: string;
}

/** Throws Error where the declaration or the place is not there, or more than one is. */
export function broken(source: string, { within, place, becomes }: Break): string {
  const file = ts.createSourceFile('core.ts', source, ts.ScriptTarget.ES2022, true);
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (place.matches(node, file)) found.push(node);
    node.forEachChild(visit);
  };
  declarationOf(file, within).forEachChild(visit);
  const [node] = found;
  if (node === undefined || found.length > 1) throw new Error(`${within}: found ${found.length} times: ${place.told}`);
  const first = ts.isCallExpression(node) ? (node.arguments[0]?.getText() ?? '') : '';
  const text = becomes.replace('$&', () => node.getText()).replace('$1', () => first);
  return source.slice(0, node.getStart()) + text + source.slice(node.end);
}

function declarationOf(file: ts.SourceFile, within: string): ts.Node {
  const [outer, inner] = within.split('.');
  const found = file.statements
    .flatMap((node): ts.Node[] => (ts.isVariableStatement(node) ? [...node.declarationList.declarations] : [node]))
    .filter((node) => nameOf(node) === outer);
  const members = inner === undefined ? found : found.flatMap(membersOf).filter((node) => nameOf(node) === inner);
  if (members.length !== 1) throw new Error(`found ${members.length} times: ${within}`);
  const [only] = members as [ts.Node];
  // So that the value of a constant is within its declaration.
  return ts.isVariableDeclaration(only) ? only.parent : only;
}

function membersOf(node: ts.Node): readonly ts.Node[] {
  return ts.isClassDeclaration(node) ? node.members : [];
}

function nameOf(node: ts.Node): string | undefined {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const named = node as ts.Node & { name?: ts.Node };
  return named.name?.getText();
}

/** `c` of `a.b.c`, `a.c()` and `c`. */
function lastName(node: ts.Expression): string | undefined {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  return ts.isCallExpression(node) ? lastName(node.expression) : undefined;
}

function mentions(node: ts.Node, name: string): boolean {
  return (
    (ts.isIdentifier(node) && node.text === name) || (node.forEachChild((child) => mentions(child, name)) ?? false)
  );
}

function isDeclared(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isBindingElement(parent) || ts.isParameter(parent)) return true;
  return (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) && parent.name === node;
}

function isComparison(node: ts.Node): node is ts.BinaryExpression {
  return (
    ts.isBinaryExpression(node) &&
    [
      ts.SyntaxKind.EqualsEqualsEqualsToken,
      ts.SyntaxKind.ExclamationEqualsEqualsToken,
      ts.SyntaxKind.LessThanToken,
      ts.SyntaxKind.LessThanEqualsToken,
      ts.SyntaxKind.GreaterThanToken,
      ts.SyntaxKind.GreaterThanEqualsToken,
    ].includes(node.operatorToken.kind)
  );
}

/** The number of an enum's member, such as `Origin.CpeReportPort`. */
function memberOf(file: ts.SourceFile, name: string): number {
  const [owner, member] = name.split('.');
  const found = file.statements.filter(ts.isEnumDeclaration).find((one) => one.name.text === owner);
  const at = found?.members.findIndex((one) => one.name.getText() === member) ?? -1;
  if (at < 0) throw new Error(`no enum member ${name}`);
  return at;
}

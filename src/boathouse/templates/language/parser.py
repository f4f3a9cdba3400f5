"""From tokens to nodes."""

import ast
import re
from collections.abc import Collection

from boathouse.templates.language.lexer import Kind, Token, tokens
from boathouse.templates.language.nodes import (
    Access,
    Action,
    Branch,
    Call,
    Command,
    Dot,
    Jump,
    Literal,
    Node,
    Operand,
    Parsed,
    Pipe,
    Range,
    Text,
    Variable,
    Word,
    is_blank,
)
from boathouse.templates.language.source import Source, TemplateError

_OPERANDS = frozenset(
    {Kind.STRING, Kind.RAW, Kind.CHARACTER, Kind.NUMBER, Kind.FIELD, Kind.DOT, Kind.VARIABLE, Kind.WORD, Kind.OPEN}
)
_CONSTANTS = {"true": True, "false": False}
_ESCAPED = re.compile(r"\\(?:x..|u.{4}|U.{8}|[0-7]{1,3}|.)")
_ESCAPE = re.compile(r"\\(?:[abfnrtv\\'\"]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00(?:0[\da-fA-F]|10)[\da-fA-F]{4}|[0-3][0-7]{2})")
_KEYWORDS = frozenset({"if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"})


def parse(source: Source, functions: Collection[str]) -> Parsed:
    """Parse a template file.

    Args:
        source: Its text.
        functions: The names of the functions that it may call.

    Raises:
        TemplateError: If it is no template.
    """
    return _Parser(source, functions).parse()


class _Parser:
    def __init__(self, source: Source, functions: Collection[str]) -> None:
        self._source, self._functions = source, functions
        self._tokens = list(tokens(source))
        self._next = 0
        self._variables = ["$"]
        self._loops = 0
        self._parsed = Parsed()

    def parse(self) -> Parsed:
        body, ended = self._nodes(frozenset(), is_top=True)
        if ended is not None:
            raise self._error(ended, f"unexpected {{{{{ended.text}}}}}")
        self._parsed.body = body
        return self._parsed

    # Tokens

    def _peek(self, *, over_space: bool = True) -> Token:
        at = self._next
        while over_space and self._tokens[at].kind is Kind.SPACE:
            at += 1
        return self._tokens[at]

    def _take(self) -> Token:
        """The next that is no space."""
        while self._tokens[self._next].kind is Kind.SPACE:
            self._next += 1
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _expect(self, kind: Kind, where: str) -> Token:
        token = self._take()
        if token.kind is not kind:
            raise self._error(token, f"unexpected {self._shown(token)} in {where}")
        return token

    def _error(self, token: Token, why: str) -> TemplateError:
        return self._source.error(token.at, why)

    @staticmethod
    def _shown(token: Token) -> str:
        return repr(token.text.strip() or "end of the action") if token.kind is not Kind.END else "end of the file"

    # Nodes

    def _nodes(self, ends: frozenset[str], *, is_top: bool = False) -> tuple[tuple[Node, ...], Token | None]:
        """Nodes until a keyword of ``ends`` or, without any, the end of the file; and that keyword's token."""
        found: list[Node] = []
        while (token := self._take_raw()).kind is not Kind.END:
            if token.kind is Kind.TEXT:
                found.append(Text(token.at, token.text))
                continue
            word = self._peek()
            if word.kind is not Kind.WORD or word.text not in _KEYWORDS:
                found.append(self._action(token))
                continue
            self._take()
            if word.text in {"end", "else"}:
                if word.text not in ends:
                    raise self._error(word, f"unexpected {{{{{word.text}}}}}")
                return tuple(found), word
            if word.text == "define":
                if not is_top:
                    raise self._error(word, "unexpected {{define}}: a template is defined at the top of a file")
                self._define(word)
            else:
                found.append(self._statement(word))
        if ends:
            raise self._error(token, "unexpected end of the file: {{end}} is missing")
        return tuple(found), None

    def _take_raw(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _action(self, left: Token) -> Action:
        pipe = self._pipe("command", Kind.RIGHT)
        return Action(left.at, pipe)

    def _statement(self, word: Token) -> Node:
        match word.text:
            case "if" | "with":
                return self._branch(word)
            case "range":
                return self._range(word)
            case "template":
                return self._call(word)
            case "block":
                return self._block(word)
            case _:
                if not self._loops:
                    raise self._error(word, f"{{{{{word.text}}}}} outside {{{{range}}}}")
                self._expect(Kind.RIGHT, f"{{{{{word.text}}}}}")
                return Jump(word.at, ends_loop=word.text == "break")

    def _branch(self, word: Token) -> Branch:
        known = len(self._variables)
        pipe = self._pipe(word.text, Kind.RIGHT)
        then, ended = self._nodes(frozenset({"end", "else"}))
        otherwise = self._otherwise(ended, word)
        del self._variables[known:]
        return Branch(word.at, word.text == "with", pipe, then, otherwise)

    def _otherwise(self, ended: Token | None, word: Token) -> tuple[Node, ...]:
        """What follows an ``else``, up to the end of the branch."""
        if ended is None or ended.text == "end":
            self._expect(Kind.RIGHT, "end")
            return ()
        following = self._peek()
        if following.kind is Kind.WORD and following.text == word.text != "range":
            # The chained one has no end of its own: it ends with this one's.
            return (self._branch(self._take()),)
        self._expect(Kind.RIGHT, "else")
        otherwise, _ = self._nodes(frozenset({"end"}))
        self._expect(Kind.RIGHT, "end")
        return otherwise

    def _range(self, word: Token) -> Range:
        known = len(self._variables)
        pipe = self._pipe("range", Kind.RIGHT)
        self._loops += 1
        body, ended = self._nodes(frozenset({"end", "else"}))
        self._loops -= 1
        otherwise = self._otherwise(ended, word)
        del self._variables[known:]
        return Range(word.at, pipe, body, otherwise)

    def _call(self, word: Token) -> Call:
        name = self._name("template clause")
        pipe = None
        if self._peek().kind is Kind.RIGHT:
            self._take()
        else:
            # A variable that is declared here is known until the end of the template.
            pipe = self._pipe("template clause", Kind.RIGHT)
        return Call(word.at, name, pipe)

    def _block(self, word: Token) -> Call:
        name = self._name("block clause")
        pipe = self._pipe("block clause", Kind.RIGHT)
        self._body(name, word)
        return Call(word.at, name, pipe)

    def _define(self, word: Token) -> None:
        name = self._name("define clause")
        self._expect(Kind.RIGHT, "define clause")
        self._body(name, word)

    def _body(self, name: str, word: Token) -> None:
        """The template's nodes: they know no variables but ``$``."""
        outer, loops = self._variables, self._loops
        self._variables, self._loops = ["$"], 0
        nodes, _ = self._nodes(frozenset({"end"}))
        self._expect(Kind.RIGHT, "end")
        self._variables, self._loops = outer, loops
        before = self._parsed.definitions.get(name)
        if before is not None and not is_blank(before) and not is_blank(nodes):
            raise self._error(word, f"template {name!r} is defined twice in this file")
        if before is None or not is_blank(nodes):
            self._parsed.definitions[name] = nodes

    def _name(self, where: str) -> str:
        token = self._take()
        if token.kind not in {Kind.STRING, Kind.RAW}:
            raise self._error(token, f"unexpected {self._shown(token)} in {where}: a name in quotes is valid")
        return str(self._text(token))

    # Pipelines

    def _pipe(self, where: str, end: Kind) -> Pipe:
        begin = self._peek()
        variables, is_assignment = self._declarations(where)
        commands: list[Command] = []
        while True:
            token = self._peek()
            if token.kind is end:
                self._take()
                break
            if token.kind not in _OPERANDS:
                raise self._error(token, f"unexpected {self._shown(token)} in {where}")
            commands.append(self._command(where))
        if not commands:
            raise self._error(begin, f"missing value for {where}")
        for command in commands[1:]:
            first = command.words[0]
            if isinstance(first, Literal | Dot):
                raise self._source.error(command.at, "a later command of a pipeline has to be a function or a method")
        if not is_assignment:
            self._variables.extend(variables)
        return Pipe(begin.at, tuple(commands), variables, is_assignment)

    def _declarations(self, where: str) -> tuple[tuple[str, ...], bool]:
        """The variables before a ``:=`` or ``=``, and whether it is the latter."""
        begin, found = self._next, list[str]()
        while self._peek().kind is Kind.VARIABLE:
            name = self._take()
            found.append(name.text)
            following = self._peek()
            if following.kind in {Kind.DECLARE, Kind.ASSIGN}:
                self._take()
                if following.kind is Kind.ASSIGN:
                    for one in found:
                        self._check_variable(name, one)
                return tuple(found), following.kind is Kind.ASSIGN
            if following.kind is not Kind.COMMA:
                break
            if where != "range" or len(found) > 1:
                raise self._error(following, f"too many declarations in {where}")
            self._take()
        self._next = begin
        return (), False

    def _check_variable(self, token: Token, name: str) -> None:
        if name not in self._variables:
            raise self._error(token, f"undefined variable {name!r}")

    def _command(self, where: str) -> Command:
        """Operands with white space between them, up to a ``|`` or the end of the pipeline."""
        begin = self._peek()
        words: list[Operand] = []
        while self._peek().kind in _OPERANDS:
            words.append(self._operand())
            following = self._peek(over_space=False)
            if following.kind is Kind.SPACE:
                continue
            if following.kind in {Kind.RIGHT, Kind.CLOSE, Kind.PIPE}:
                break
            raise self._error(following, f"unexpected {self._shown(following)} in operand")
        if self._peek().kind is Kind.PIPE:
            bar = self._take()
            if self._peek().kind not in _OPERANDS:
                raise self._error(bar, f"missing command after the pipe in {where}")
        elif self._peek().kind not in {Kind.RIGHT, Kind.CLOSE}:
            token = self._peek()
            raise self._error(token, f"unexpected {self._shown(token)} in {where}")
        return Command(begin.at, tuple(words))

    def _operand(self) -> Operand:
        token = self._take()
        operand = self._term(token)
        names: list[str] = []
        while self._peek(over_space=False).kind is Kind.FIELD:
            names.append(self._take().text[1:])
        if isinstance(operand, Access):
            return Access(operand.at, operand.of, (*operand.names, *names))
        if not names:
            return operand
        if isinstance(operand, Literal | Dot):
            raise self._error(token, f"unexpected .{names[0]} after {token.text!r}")
        return Access(token.at, operand, tuple(names))

    def _term(self, token: Token) -> Operand:
        match token.kind:
            case Kind.DOT:
                return Dot(token.at)
            case Kind.FIELD:
                return Access(token.at, Dot(token.at), (token.text[1:],))
            case Kind.VARIABLE:
                self._check_variable(token, token.text)
                return Variable(token.at, token.text)
            case Kind.OPEN:
                return self._pipe("parenthesized pipeline", Kind.CLOSE)
            case Kind.WORD:
                return self._word(token)
            case Kind.STRING | Kind.RAW:
                return Literal(token.at, self._text(token))
            case _:
                return Literal(token.at, self._number(token))

    def _word(self, token: Token) -> Operand:
        name = token.text
        if name in _CONSTANTS:
            return Literal(token.at, _CONSTANTS[name])
        if name == "nil":
            return Literal(token.at, None)
        if name in _KEYWORDS:
            raise self._error(token, f"unexpected {name!r}")
        if name not in self._functions:
            raise self._error(token, f"function {name!r} is not defined. Defined are {', '.join(sorted(self._functions))}")
        return Word(token.at, name)

    def _text(self, token: Token) -> str:
        if token.kind is Kind.RAW:
            return token.text[1:-1].replace("\r", "")
        return self._unquoted(token)

    def _unquoted(self, token: Token) -> str:
        """The text in quotes: of Python's escapes, those that Go has too."""
        other = "'" if token.kind is Kind.STRING else '"'
        if any(escape == f"\\{other}" or not _ESCAPE.fullmatch(escape) for escape in _ESCAPED.findall(token.text)):
            raise self._error(token, f"invalid escape in {token.text}")
        return str(ast.literal_eval(token.text))

    def _number(self, token: Token) -> int | float:
        if token.kind is Kind.CHARACTER:
            text = self._unquoted(token)
            if len(text) != 1:
                raise self._error(token, f"malformed character constant: {token.text}")
            return ord(text)
        digits = token.text.lower()
        try:
            if not digits.lstrip("+-").startswith("0x") and set(digits) & set(".e"):
                return float(digits)
            unsigned = digits.lstrip("+-")
            is_old_octal = unsigned.startswith("0") and unsigned.strip("0_") and unsigned[1].isdigit()
            return int(digits, 8 if is_old_octal else 0)
        except ValueError:
            raise self._error(token, f"bad number syntax: {token.text!r}") from None

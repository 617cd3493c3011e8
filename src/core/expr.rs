//! Expressions over facts, in CEL. Total and three-valued: what is absent, ill-typed or unreadable is an error here, and
//! *could not tell* above.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, DeclarationError, Env, ExecutionError, Program, Value};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Number, Value as Json};

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression.
#[derive(Debug)]
pub struct Compiled(Program);

/// What is wrong with the text of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntaxError {
    /// Byte offset in the expression.
    pub offset: usize,
    pub message: String,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq)]
pub struct NoValue(pub String);

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Compiled {
    /// Compiles, and refuses what can never have a value: unknown functions are found when it is evaluated.
    ///
    /// # Errors
    /// The text is not CEL.
    pub fn new(text: &str) -> Result<Self, SyntaxError> {
        match Program::compile(text) {
            Ok(program) => Ok(Self(program)),
            Err(errors) => {
                let first = errors.errors.into_iter().next();
                let (line, column) = first.as_ref().map_or((1, 1), |e| (e.pos.0.max(1), e.pos.1.max(1)));
                let start: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
                Err(SyntaxError {
                    offset: (start + column as usize - 1).min(text.len()),
                    message: first.map_or_else(|| "is not an expression".into(), |e| plain_words(&e.msg)),
                })
            }
        }
    }

    /// Names of the variables it uses at the top, macros' own variables included.
    pub fn variables(&self) -> Vec<String> {
        self.0.references().variables().into_iter().map(str::to_owned).collect()
    }

    /// Names of the functions it calls.
    pub fn functions(&self) -> Vec<String> {
        self.0.references().functions().into_iter().map(str::to_owned).collect()
    }

    /// The value under these variables.
    ///
    /// # Errors
    /// Something in it is absent or of another type.
    pub fn eval(&self, scope: &Scope) -> Result<Json, NoValue> {
        let mut context = Context::with_env(ENV.clone());
        let registered = register(&mut context);
        debug_assert!(registered.is_ok(), "{registered:?}");
        for (name, value) in &scope.0 {
            context.add_variable_from_value(name.as_str(), value.clone());
        }
        self.0.execute(&context).map(to_json).map_err(|e| NoValue(in_words(&e)))
    }

    /// The value as a condition.
    ///
    /// # Errors
    /// It has no value, or another type.
    pub fn holds(&self, scope: &Scope) -> Result<bool, NoValue> {
        match self.eval(scope)? {
            Json::Bool(b) => Ok(b),
            other => Err(NoValue(format!("the condition gave {other}, not true or false"))),
        }
    }
}

/// The variables an expression sees.
#[derive(Clone, Default)]
pub struct Scope(Vec<(String, Value)>);

impl Scope {
    /// Adds a variable.
    pub fn set(&mut self, name: &str, value: &Json) {
        self.0.push((name.to_owned(), from_json(value)));
    }
}

/// The functions an expression may call, beside those of CEL: name → what it gives.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("join", "join(list, separator): the texts of a list as one"),
    ("distinct", "distinct(list): every value once, in order"),
    ("text", "text(x): any value as text; null is `absent`"),
    ("lower", "lower(text)"),
    ("upper", "upper(text)"),
    ("hours_between", "hours_between(from, to): between two ISO times"),
    ("sum", "sum(list of numbers)"),
    ("gib", "gib(bytes): as whole GiB, as text"),
    ("day", "day(time): the date of an ISO time; null is `never`"),
    ("head", "head(text, mark): what stands before the first mark"),
    ("at", "at(x, path): what a list of keys leads to; null where one of them is absent"),
    ("utc", "utc(time): an ISO time with seven decimals, as scripts give it; null stays null"),
    ("unknown", "unknown(why): no value; the check could not tell, and says why"),
];

/// Further functions, for the answers of the simulator: what a check never needs.
pub const ANSWER_FUNCTIONS: &[(&str, &str)] = &[
    ("hours_after", "hours_after(time, hours): an ISO time, that many whole hours later"),
    ("flat", "flat(list of lists): their members in one list"),
    ("last", "last(list, n): its last members, at most that many"),
    ("pairs", "pairs(list of [key, value]): a map of them"),
    ("sorted", "sorted(list of texts)"),
    ("strip", "strip(text, start): without that start, where it has it"),
];

fn register(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("join", |list: Arc<Vec<Value>>, separator: Arc<String>| -> String {
        list.iter().map(text).collect::<Vec<_>>().join(&separator)
    })?;
    context.add_function("distinct", |list: Arc<Vec<Value>>| -> Value {
        let mut seen: Vec<Value> = Vec::new();
        for v in list.iter() {
            if !seen.contains(v) {
                seen.push(v.clone());
            }
        }
        Value::List(Arc::new(seen))
    })?;
    context.add_function("text", |v: Value| -> String { text(&v) })?;
    context.add_function("lower", |This(s): This<Arc<String>>| -> String { s.to_lowercase() })?;
    context.add_function("upper", |This(s): This<Arc<String>>| -> String { s.to_uppercase() })?;
    context.add_function(
        "hours_between",
        |from: Arc<String>, to: Arc<String>| -> Result<f64, ExecutionError> {
            let time = |s: &str| {
                s.parse::<Timestamp>()
                    .map_err(|_| ExecutionError::function_error("hours_between", format!("{s} is not a time")))
            };
            Ok((time(&to)?.as_second() - time(&from)?.as_second()) as f64 / 3600.0)
        },
    )?;
    context.add_function("sum", |list: Arc<Vec<Value>>| -> Result<f64, ExecutionError> {
        list.iter()
            .map(|v| match v {
                Value::Int(i) => Ok(*i as f64),
                Value::UInt(u) => Ok(*u as f64),
                Value::Float(f) => Ok(*f),
                other => Err(ExecutionError::function_error("sum", format!("{} is not a number", text(other)))),
            })
            .sum()
    })?;
    context.add_function("gib", |bytes: i64| -> String { format!("{} GiB", bytes / (1 << 30)) })?;
    context.add_function("day", |time: Value| -> String {
        match time {
            Value::Null => "never".into(),
            other => text(&other).chars().take(10).collect(),
        }
    })?;
    context.add_function("head", |s: Arc<String>, mark: Arc<String>| -> String {
        s.split(mark.as_str()).next().unwrap_or_default().to_owned()
    })?;
    context.add_function("at", |value: Value, path: Arc<Vec<Value>>| -> Value { at(value, &path) })?;
    context.add_function("utc", |time: Value| -> Result<Value, ExecutionError> {
        match time {
            Value::Null => Ok(Value::Null),
            Value::String(s) => match s.parse::<Timestamp>() {
                Ok(t) => Ok(Value::String(Arc::new(format!("{t:.7}")))),
                Err(_) => Err(ExecutionError::function_error("utc", format!("{s} is not a time"))),
            },
            other => Err(ExecutionError::function_error("utc", format!("{} is not a time", text(&other)))),
        }
    })?;
    context.add_function("hours_after", |time: Arc<String>, hours: i64| -> Result<Value, ExecutionError> {
        let wrong = |_| ExecutionError::function_error("hours_after", format!("{time} is not a time"));
        let from = time.parse::<Timestamp>().map_err(wrong)?;
        let later = from.checked_add(SignedDuration::from_hours(hours)).map_err(wrong)?;
        Ok(Value::String(Arc::new(format!("{later:.7}"))))
    })?;
    context.add_function("flat", |list: Arc<Vec<Value>>| -> Value {
        let inner = list.iter().flat_map(|v| match v {
            Value::List(l) => l.iter().cloned().collect(),
            other => vec![other.clone()],
        });
        Value::List(Arc::new(inner.collect()))
    })?;
    context.add_function("last", |list: Arc<Vec<Value>>, n: i64| -> Value {
        let skip = list.len().saturating_sub(usize::try_from(n).unwrap_or(0));
        Value::List(Arc::new(list[skip..].to_vec()))
    })?;
    context.add_function("pairs", |list: Arc<Vec<Value>>| -> Value {
        let pair = |v: &Value| match v {
            Value::List(l) if l.len() == 2 => Some((Key::String(Arc::new(text(&l[0]))), l[1].clone())),
            _ => None,
        };
        let map: HashMap<Key, Value> = list.iter().filter_map(pair).collect();
        Value::Map(Map { map: Arc::new(map) })
    })?;
    context.add_function("sorted", |list: Arc<Vec<Value>>| -> Value {
        let mut texts: Vec<String> = list.iter().map(text).collect();
        texts.sort();
        Value::List(Arc::new(texts.into_iter().map(|t| Value::String(Arc::new(t))).collect()))
    })?;
    context.add_function("strip", |s: Arc<String>, start: Arc<String>| -> String {
        s.strip_prefix(start.as_str()).unwrap_or(&s).to_owned()
    })?;
    context.add_function("unknown", |why: Arc<String>| -> Result<Value, ExecutionError> {
        Err(ExecutionError::function_error("unknown", why))
    })?;
    Ok(())
}

/// Keys of maps and indexes of lists, one after the other.
fn at(value: Value, path: &[Value]) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return value;
    };
    let inner = match (&value, first) {
        (Value::Map(m), Value::String(k)) => m.map.get(&Key::String(k.clone())).cloned(),
        (Value::List(l), Value::Int(i)) => usize::try_from(*i).ok().and_then(|i| l.get(i).cloned()),
        _ => None,
    };
    inner.map_or(Value::Null, |v| at(v, rest))
}

/// JSON as CEL sees it: every whole number is an int.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(s) => Value::String(Arc::new(s.clone())),
        Json::Array(a) => Value::List(Arc::new(a.iter().map(from_json).collect())),
        Json::Object(o) => {
            let map: HashMap<Key, Value> =
                o.iter().map(|(k, v)| (Key::String(Arc::new(k.clone())), from_json(v))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// The other way. Keys of a map come in alphabetical order.
pub fn to_json(value: Value) -> Json {
    match value {
        Value::Bool(b) => Json::Bool(b),
        Value::Int(i) => Json::from(i),
        Value::UInt(u) => Json::from(u),
        Value::Float(f) => Number::from_f64(f).map_or(Json::Null, Json::Number),
        Value::String(s) => Json::String(Arc::unwrap_or_clone(s)),
        Value::List(l) => Json::Array(Arc::unwrap_or_clone(l).into_iter().map(to_json).collect()),
        Value::Map(m) => {
            let mut rows: Vec<(String, Json)> = m
                .map
                .iter()
                .map(|(k, v)| {
                    let key = match k {
                        Key::String(s) => s.to_string(),
                        Key::Int(i) => i.to_string(),
                        Key::Uint(u) => u.to_string(),
                        Key::Bool(b) => b.to_string(),
                    };
                    (key, to_json(v.clone()))
                })
                .collect();
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(rows.into_iter().collect())
        }
        _ => Json::Null,
    }
}

/// A value as a person reads it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "absent".into(),
        Value::String(s) => s.to_string(),
        Value::Float(f) if f.fract() == 0.0 => format!("{f:.0}"),
        other => to_json(other.clone()).to_string(),
    }
}

fn in_words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("`{key}` is not in the answer"),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known here"),
        ExecutionError::FunctionError { function, message } if function == "unknown" => message.clone(),
        ExecutionError::NoSuchOverload(e) => {
            format!("`{}` does not work on {}", e.function().replace('_', ""), e.argument_types().join(" and "))
        }
        other => other.to_string(),
    }
}

/// The grammar's own messages list every token that could follow; nobody reads those.
fn plain_words(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let short = message.split(" expecting ").next().unwrap_or(message);
    short.replace("'<EOF>'", "the end of the expression")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn eval(text: &str, refs: Json) -> Result<Json, String> {
        let mut scope = Scope::default();
        scope.set("refs", &refs);
        Compiled::new(text).expect("compiles").eval(&scope).map_err(|e| e.0)
    }

    #[test]
    fn whole_numbers_are_ints_wherever_they_come_from() {
        assert_eq!(eval("refs.a + 1 > 3", json!({"a": 3})), Ok(json!(true)));
        assert_eq!(eval("refs.a < 0.5", json!({"a": 0.25})), Ok(json!(true)));
    }

    #[test]
    fn what_is_absent_or_ill_typed_has_no_value() {
        assert_eq!(eval("refs.b == 0", json!({"a": 3})), Err("`b` is not in the answer".into()));
        assert!(eval("refs.a > 'x'", json!({"a": 3})).unwrap_err().contains("does not work on"));
        assert!(eval("refs.a.b.c == 1", json!({"a": null})).is_err());
        assert!(Compiled::new("refs.a").unwrap().holds(&Scope::default()).is_err());
    }

    #[test]
    fn null_is_a_value() {
        assert_eq!(eval("refs.a == 0", json!({"a": null})), Ok(json!(false)));
        assert_eq!(eval("text(refs.a)", json!({"a": null})), Ok(json!("absent")));
    }

    #[test]
    fn own_functions() {
        assert_eq!(eval("join(distinct(refs.a), ', ')", json!({"a": ["x", "y", "x"]})), Ok(json!("x, y")));
        assert_eq!(
            eval(
                "hours_between(refs.a, refs.b)",
                json!({"a": "2025-06-14T08:00:00.0000000Z", "b": "2025-06-16T08:30:00Z"})
            ),
            Ok(json!(48.5))
        );
        assert!(eval("hours_between(refs.a, refs.a)", json!({"a": "yesterday"})).is_err());
        assert_eq!(eval("sum(refs.a) == 6.0", json!({"a": [1, 2, 3]})), Ok(json!(true)));
        let deep = json!({"a": {"HKLM:\\X": {"v": [7]}}, "t": "2025-06-14T08:00:00.125Z"});
        assert_eq!(eval("at(refs, ['a', 'HKLM:\\\\X', 'v', 0])", deep.clone()), Ok(json!(7)));
        assert_eq!(eval("at(refs, ['a', 'none', 'v', 0])", deep.clone()), Ok(json!(null)));
        assert_eq!(eval("utc(refs.t)", deep.clone()), Ok(json!("2025-06-14T08:00:00.1250000Z")));
        assert_eq!(eval("utc(at(refs, ['x']))", deep.clone()), Ok(json!(null)));
        assert_eq!(
            eval("day(refs.t) + head('a,b,c', ',') + day(null)", deep.clone()),
            Ok(json!("2025-06-14anever"))
        );
        assert_eq!(eval("refs.t == '' || unknown('nobody knows')", deep), Err("nobody knows".into()));
    }

    #[test]
    fn functions_of_answers() {
        let lists = json!({"a": [["x", 2], ["y", 1]]});
        assert_eq!(eval("pairs(refs.a)", lists.clone()), Ok(json!({"x": 2, "y": 1})));
        assert_eq!(eval("last(flat(refs.a), 3)", lists), Ok(json!([2, "y", 1])));
        assert_eq!(eval("sorted(['b', 'a']) + [strip('abc', 'ab')]", json!(null)), Ok(json!(["a", "b", "c"])));
    }

    #[test]
    fn syntax_errors_point_into_the_text() {
        let e = Compiled::new("a &&\n  (b == ").unwrap_err();
        assert_eq!((e.offset, e.message.as_str()), (13, "mismatched input the end of the expression"));
    }
}

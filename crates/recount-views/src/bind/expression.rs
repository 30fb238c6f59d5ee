//! Expressions: from what the parser read to what a fold evaluates, with every conversion written out.

use recount_entity::decimal::DIGITS_MAX;
use recount_entity::expr::{Comparison, Expr, Operator};
use recount_store::ddl::ParseError;
use recount_types::column::Value;
use sqlparser::ast::{self, BinaryOperator, Spanned, UnaryOperator};
use sqlparser::tokenizer::Location;

use super::function;
use super::literal;
use super::names::{Names, Place};
use super::types::{Literal, QUOTIENT_SCALE, Type, Typed};

/// Binds the expressions of one statement.
pub(super) struct Binder<'n, 'a> {
    pub(super) names: &'n mut Names<'a>,
    pub(super) place: Place,
    /// Where to say that something is wrong if the expression does not know where it stands.
    pub(super) at: Location,
}

type Bound = Result<Typed, ParseError>;

impl Binder<'_, '_> {
    /// Binds an expression.
    pub(super) fn bind(&mut self, expr: &ast::Expr) -> Bound {
        let before = self.at;
        self.at = self.location(expr);
        let bound = self.bind_here(expr);
        self.at = before;
        bound
    }

    /// Binds a condition.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Result<Expr, ParseError> {
        let typed = self.bind(expr)?;
        match typed.kind {
            Type::Boolean | Type::Null => Ok(typed.expr),
            other => Err(ParseError::at(
                self.location(expr),
                format!("a condition is needed here, and this is {other}"),
            )),
        }
    }

    pub(super) fn wrong<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::at(self.at, message.into()))
    }

    fn located<T>(&self, result: Result<T, String>) -> Result<T, ParseError> {
        result.map_err(|message| ParseError::at(self.at, message))
    }

    fn location(&self, expr: &ast::Expr) -> Location {
        let start = expr.span().start;
        if start.line == 0 { self.at } else { start }
    }

    fn bind_here(&mut self, expr: &ast::Expr) -> Bound {
        match expr {
            ast::Expr::Nested(inner) => self.bind(inner),
            ast::Expr::Identifier(name) => {
                let found = self.names.plain(name, self.place);
                self.located(found)
            }
            ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [qualifier, name] => {
                    let found = self.names.qualified(qualifier, name, self.place);
                    self.located(found)
                }
                _ => self.wrong("a column is written as name or qualifier.name"),
            },
            ast::Expr::Value(value) => self.value(&value.value),
            ast::Expr::TypedString(typed) => {
                let (ast::Value::SingleQuotedString(text), Some(kind)) =
                    (&typed.value.value, function::cast_type(&typed.data_type))
                else {
                    return self.wrong(format!("{typed} is not a constant here"));
                };
                let constant = self.located(literal::text_as(text, kind))?;
                constant.map_or_else(|| self.wrong(format!("{typed} is not a constant here")), Ok)
            }
            ast::Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            ast::Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            ast::Expr::IsNull(expr) => Ok(boolean(Expr::IsNull(Box::new(self.bind(expr)?.expr)))),
            ast::Expr::IsNotNull(expr) => {
                let is_null = Expr::IsNull(Box::new(self.bind(expr)?.expr));
                Ok(boolean(Expr::Not(Box::new(is_null))))
            }
            ast::Expr::IsTrue(expr) => self.is(expr, true, false),
            ast::Expr::IsNotTrue(expr) => self.is(expr, true, true),
            ast::Expr::IsFalse(expr) => self.is(expr, false, false),
            ast::Expr::IsNotFalse(expr) => self.is(expr, false, true),
            ast::Expr::Between { expr, negated, low, high } => {
                let value = self.bind(expr)?;
                let (low, high) = (self.bind(low)?, self.bind(high)?);
                let from = self.compare(Comparison::AtLeast, value.clone(), low)?;
                let to = self.compare(Comparison::AtMost, value, high)?;
                let both = Expr::And(Box::new(from), Box::new(to));
                Ok(boolean(if *negated { Expr::Not(Box::new(both)) } else { both }))
            }
            ast::Expr::InList { expr, list, negated } => {
                let value = self.bind(expr)?;
                let mut any = Expr::Literal(Value::Boolean(false));
                for item in list {
                    let item = self.bind(item)?;
                    let equal = self.compare(Comparison::Equal, value.clone(), item)?;
                    any = Expr::Or(Box::new(any), Box::new(equal));
                }
                Ok(boolean(if *negated { Expr::Not(Box::new(any)) } else { any }))
            }
            ast::Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            ast::Expr::Cast { expr, data_type, kind, .. } => function::cast(self, expr, data_type, kind),
            ast::Expr::Function(call) => function::call(self, call),
            ast::Expr::Floor { expr, field } => function::floor(self, expr, field, "floor"),
            ast::Expr::Ceil { expr, field } => function::floor(self, expr, field, "ceil"),
            ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => {
                self.wrong("a rule cannot query: LOOKUP brings rows of another topic into it")
            }
            other => self.wrong(format!("rules do not support {other}")),
        }
    }

    fn value(&self, value: &ast::Value) -> Bound {
        match value {
            ast::Value::Number(text, _) => self.located(literal::number(text)),
            ast::Value::SingleQuotedString(text) => Ok(literal::text(text)),
            ast::Value::Boolean(value) => Ok(boolean(Expr::Literal(Value::Boolean(*value)))),
            ast::Value::Null => Ok(Typed::new(Expr::Literal(Value::Null), Type::Null)),
            other => self
                .wrong(format!("{other} is not a constant here: write a number, or a text in single quotes")),
        }
    }

    fn is(&mut self, expr: &ast::Expr, wanted: bool, negated: bool) -> Bound {
        let condition = self.condition(expr)?;
        let condition = if wanted { condition } else { Expr::Not(Box::new(condition)) };
        let is = Expr::Coalesce(vec![condition, Expr::Literal(Value::Boolean(false))]);
        Ok(boolean(if negated { Expr::Not(Box::new(is)) } else { is }))
    }

    fn unary(&mut self, operator: UnaryOperator, expr: &ast::Expr) -> Bound {
        match operator {
            UnaryOperator::Not => Ok(boolean(Expr::Not(Box::new(self.condition(expr)?)))),
            UnaryOperator::Plus | UnaryOperator::Minus => {
                // The least integer has no positive form.
                if let (UnaryOperator::Minus, ast::Expr::Value(value)) = (operator, expr)
                    && value.value == ast::Value::Number("9223372036854775808".to_owned(), false)
                {
                    return Ok(Typed::new(Expr::Literal(Value::Integer(i64::MIN)), Type::Integer));
                }
                let value = self.bind(expr)?;
                if !value.kind.is_number() {
                    return self.wrong(format!("{operator} needs a number, and this is {}", value.kind));
                }
                if operator == UnaryOperator::Plus {
                    return Ok(value);
                }
                let literal = match value.literal {
                    Some(Literal::Number(text)) => Some(Literal::Number(format!("-{text}"))),
                    _ => None,
                };
                let expr = Expr::Negate(value.kind.class(), Box::new(value.expr));
                Ok(Typed { expr, kind: value.kind, literal })
            }
            other => self.wrong(format!("rules do not support the operator {other}")),
        }
    }

    fn binary(&mut self, left: &ast::Expr, operator: &BinaryOperator, right: &ast::Expr) -> Bound {
        let comparison = match operator {
            BinaryOperator::And | BinaryOperator::Or => {
                let (left, right) = (Box::new(self.condition(left)?), Box::new(self.condition(right)?));
                let is_and = *operator == BinaryOperator::And;
                return Ok(boolean(if is_and { Expr::And(left, right) } else { Expr::Or(left, right) }));
            }
            BinaryOperator::StringConcat => {
                let (left, right) = (self.bind(left)?, self.bind(right)?);
                for side in [&left, &right] {
                    if !matches!(side.kind, Type::Text | Type::Null) {
                        return self.wrong(format!("|| joins texts, and this is {}", side.kind));
                    }
                }
                return Ok(Typed::new(Expr::Concat(Box::new(left.expr), Box::new(right.expr)), Type::Text));
            }
            BinaryOperator::Plus => return self.arithmetic(left, Operator::Add, right, "+"),
            BinaryOperator::Minus => return self.arithmetic(left, Operator::Subtract, right, "-"),
            BinaryOperator::Multiply => return self.arithmetic(left, Operator::Multiply, right, "*"),
            BinaryOperator::Divide => return self.divide(left, right, QUOTIENT_SCALE),
            BinaryOperator::Modulo => return self.arithmetic(left, Operator::Remainder, right, "%"),
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::Unequal,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::AtMost,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::AtLeast,
            other => return self.wrong(format!("rules do not support the operator {other}")),
        };
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        self.compare(comparison, left, right).map(boolean)
    }

    /// A comparison of two values that are made to be of one type.
    pub(super) fn compare(
        &self,
        comparison: Comparison,
        left: Typed,
        right: Typed,
    ) -> Result<Expr, ParseError> {
        let (mut sides, kind) = self.unified(vec![left, right], "compared with")?;
        if kind == Type::Json {
            return self.wrong("JSON has no order and no equality");
        }
        let (right, left) = (sides.pop(), sides.pop());
        match (left, right) {
            (Some(left), Some(right)) => {
                Ok(Expr::Compare(comparison, kind.class(), Box::new(left), Box::new(right)))
            }
            _ => self.wrong("two values are compared"),
        }
    }

    /// Values made to be of one type, and that type. `verb` is for the error.
    pub(super) fn unified(&self, values: Vec<Typed>, verb: &str) -> Result<(Vec<Expr>, Type), ParseError> {
        let mut kind = Type::Null;
        for value in &values {
            kind = match (kind, value.kind, &value.literal) {
                (Type::Null, other, _) => other,
                (known, Type::Null, _) => known,
                (known, other, _) if known == other => known,
                (Type::Decimal { .. } | Type::Integer, Type::Decimal { .. } | Type::Integer, _) => {
                    // Without the digit that a sum has more.
                    match kind.sum(value.kind) {
                        Type::Decimal { precision, scale } => {
                            Type::decimal(precision.saturating_sub(1 + scale), scale)
                        }
                        other => other,
                    }
                }
                (Type::Integer, Type::Double, _) | (Type::Double, Type::Integer, _) => Type::Double,
                (Type::Double, Type::Decimal { .. }, Some(_)) => Type::Double,
                (Type::Decimal { .. }, Type::Double, _) if all_constants(&values) => Type::Double,
                (known @ (Type::Date | Type::Timestamp | Type::TimestampTz), Type::Text, Some(_)) => known,
                (Type::Text, other @ (Type::Date | Type::Timestamp | Type::TimestampTz), _)
                    if texts_are_constants(&values) =>
                {
                    other
                }
                (Type::Text, Type::Json, _) | (Type::Json, Type::Text, _) => {
                    return self.wrong(format!("JSON cannot be {verb} TEXT"));
                }
                (Type::Decimal { .. }, Type::Double, _) | (Type::Double, Type::Decimal { .. }, _) => {
                    return self.wrong(format!(
                        "a DECIMAL cannot be {verb} a DOUBLE, which is not exact: write CAST(… AS DOUBLE) around the DECIMAL if that is meant"
                    ));
                }
                (known, other, _) => return self.wrong(format!("{known} cannot be {verb} {other}")),
            };
        }
        let exprs: Result<Vec<Expr>, ParseError> =
            values.into_iter().map(|value| self.converted(value, kind)).collect();
        Ok((exprs?, kind))
    }

    /// A value as one of `kind`, which it was found to fit.
    fn converted(&self, value: Typed, kind: Type) -> Result<Expr, ParseError> {
        match (value.kind, kind, value.literal.clone()) {
            (from, to, _) if from == to || from == Type::Null => Ok(value.expr),
            (_, Type::Decimal { scale, .. }, _) => Ok(value.at_scale(scale)),
            (from, Type::Double, _) => Ok(Expr::Float(Box::new(value.expr), from.scale())),
            (Type::Text, to, Some(Literal::Text(text))) => {
                let constant = self.located(literal::text_as(&text, to))?;
                Ok(constant.map_or(value.expr, |constant| constant.expr))
            }
            _ => Ok(value.expr),
        }
    }

    fn arithmetic(&mut self, left: &ast::Expr, operator: Operator, right: &ast::Expr, sign: &str) -> Bound {
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        self.numbers(&left, &right, sign)?;
        let (l, r) = (left.kind, right.kind);
        if operator == Operator::Multiply && is_decimal(l, r) {
            let Some(kind) = l.product(r) else {
                return self.wrong(format!(
                    "the product has {} digits after the point, more than {DIGITS_MAX}: round(…) a part of it first",
                    u16::from(l.scale()) + u16::from(r.scale())
                ));
            };
            let (left_scale, right_scale) = (l.scale(), r.scale());
            let (left, right) = (left.at_scale(left_scale), right.at_scale(right_scale));
            let expr = Expr::Arithmetic(operator, kind.class(), Box::new(left), Box::new(right));
            return Ok(Typed::new(expr, kind));
        }
        let result = if is_decimal(l, r) { Some(l.sum(r)) } else { None };
        let (mut sides, kind) = self.unified(vec![left, right], "combined with")?;
        let (Some(right), Some(left)) = (sides.pop(), sides.pop()) else {
            return self.wrong("two values are combined");
        };
        let expr = Expr::Arithmetic(operator, kind.class(), Box::new(left), Box::new(right));
        Ok(Typed::new(expr, result.filter(|_| kind != Type::Double).unwrap_or(kind)))
    }

    /// A quotient; one of decimals with `scale` digits after the point.
    pub(super) fn divide(&mut self, left: &ast::Expr, right: &ast::Expr, scale: u8) -> Bound {
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        self.numbers(&left, &right, "/")?;
        let (l, r) = (left.kind, right.kind);
        if is_decimal(l, r) && l != Type::Double && r != Type::Double {
            let digits = i16::from(scale) - i16::from(l.scale()) + i16::from(r.scale());
            let (left, right) = (left.at_scale(l.scale()), right.at_scale(r.scale()));
            let expr = Expr::Divide(Box::new(left), Box::new(right), digits);
            return Ok(Typed::new(expr, l.quotient(r, scale)));
        }
        let (mut sides, kind) = self.unified(vec![left, right], "divided by")?;
        let (Some(right), Some(left)) = (sides.pop(), sides.pop()) else {
            return self.wrong("two values are divided");
        };
        let expr = Expr::Arithmetic(Operator::Divide, kind.class(), Box::new(left), Box::new(right));
        Ok(Typed::new(expr, kind))
    }

    fn numbers(&self, left: &Typed, right: &Typed, sign: &str) -> Result<(), ParseError> {
        for side in [left, right] {
            if !side.kind.is_number() && side.kind != Type::Null {
                let hint = match side.kind {
                    Type::Date | Type::Timestamp | Type::TimestampTz => {
                        ": days(a, b) counts the days between two"
                    }
                    Type::Text => ": || joins texts",
                    _ => "",
                };
                return self.wrong(format!("{sign} needs numbers, and this is {}{hint}", side.kind));
            }
        }
        Ok(())
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
    ) -> Bound {
        let operand = operand.map(|operand| self.bind(operand)).transpose()?;
        let (mut tests, mut results) = (Vec::new(), Vec::new());
        for branch in conditions {
            tests.push(match &operand {
                Some(operand) => {
                    let value = self.bind(&branch.condition)?;
                    self.compare(Comparison::Equal, operand.clone(), value)?
                }
                None => self.condition(&branch.condition)?,
            });
            results.push(self.bind(&branch.result)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.bind(otherwise)?,
            None => Typed::new(Expr::Literal(Value::Null), Type::Null),
        });
        let (mut results, kind) = self.unified(results, "a result of one CASE beside")?;
        let otherwise = results.pop().unwrap_or(Expr::Literal(Value::Null));
        Ok(Typed::new(Expr::Case(tests.into_iter().zip(results).collect(), Box::new(otherwise)), kind))
    }
}

fn boolean(expr: Expr) -> Typed {
    Typed::new(expr, Type::Boolean)
}

/// Whether an operation on these is one on decimals.
fn is_decimal(left: Type, right: Type) -> bool {
    let decimal = |kind| matches!(kind, Type::Decimal { .. });
    (decimal(left) || decimal(right))
        && left != Type::Double
        && right != Type::Double
        && left != Type::Null
        && right != Type::Null
}

/// Whether every decimal among them is a constant, so that it can be a DOUBLE.
fn all_constants(values: &[Typed]) -> bool {
    values.iter().all(|value| !matches!(value.kind, Type::Decimal { .. }) || value.literal.is_some())
}

fn texts_are_constants(values: &[Typed]) -> bool {
    values.iter().all(|value| value.kind != Type::Text || value.literal.is_some())
}
